"""The tokenizer of a foreign folder, whatever kind it is of."""

from pathlib import Path

from tfplm.errors import UserError
from tfplm.interop.tokenizers.byte_level_bpe import read_byte_level_bpe
from tfplm.interop.tokenizers.sentencepiece import read_sentencepiece
from tfplm.interop.tokenizers.wordpiece import read_wordpiece
from tfplm.tokenizers.tokenizer import Tokenizer

_READERS = (read_wordpiece, read_byte_level_bpe, read_sentencepiece)
_FILES = "tokenizer.json; vocab.txt; vocab.json and merges.txt; spiece.model, sentencepiece.bpe.model, tokenizer.model"


def read_tokenizer(folder: Path) -> Tokenizer:
    """Reads the tokenizer of a folder.

    Raises:
        UserError: there is none, or it is damaged or of a kind that is not supported.
    """
    for read in _READERS:
        if (tokenizer := read(folder)) is not None:
            return tokenizer
    raise UserError(f"{folder} holds no tokenizer.", f"Expected one of {_FILES}.")
