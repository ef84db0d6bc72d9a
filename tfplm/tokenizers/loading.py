"""One door to every tokenizer: loading by the type that its folder notes, training by the type of its configuration."""

from collections.abc import Iterable
from pathlib import Path

from tfplm.errors import UserError
from tfplm.tokenizers.byte_level_bpe import ByteLevelBpeTokenizer
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig, TokenizerConfig
from tfplm.tokenizers.folder import read_settings
from tfplm.tokenizers.imported_sentencepiece import ImportedSentencePieceTokenizer
from tfplm.tokenizers.sentencepiece import SentencePieceTokenizer
from tfplm.tokenizers.sentencepiece_training import train_sentencepiece
from tfplm.tokenizers.tokenizer import Tokenizer
from tfplm.tokenizers.training import train_wordpiece
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

_TOKENIZERS = {
    "wordpiece": WordPieceTokenizer,
    "sentencepiece": SentencePieceTokenizer,
    "bytes": ByteTokenizer,
    "byte_level_bpe": ByteLevelBpeTokenizer,
    "imported_sentencepiece": ImportedSentencePieceTokenizer,
}


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """Loads a saved tokenizer of any type; a folder that notes none holds WordPiece.

    Raises:
        UserError: the folder is missing, damaged, or of another version or type.
    """
    kind = read_settings(Path(folder))["config"].get("type", "wordpiece")
    if str(kind) not in _TOKENIZERS:
        raise UserError(
            f"{Path(folder) / 'tokenizer.json'} has a tokenizer of the type {kind!r}.",
            f"This tfplm reads {', '.join(_TOKENIZERS)}.",
        )
    return _TOKENIZERS[kind].load(folder)


def train_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Trains the tokenizer that ``config`` describes; bytes need no text, and read none.

    Raises:
        UserError: there is no text, or it gives fewer tokens than asked for.
    """
    if isinstance(config, BytesConfig):
        return ByteTokenizer(config)
    train = train_sentencepiece if isinstance(config, SentencePieceConfig) else train_wordpiece
    return train(texts, config)
