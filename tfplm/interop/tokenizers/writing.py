"""A tokenizer of ours as files that `transformers` reads."""

from pathlib import Path

import tokenizers
from tokenizers import processors

from tfplm.interop.tokenizers.byte_level_bpe import write_byte_level_bpe
from tfplm.interop.tokenizers.sentencepiece_writing import write_sentencepiece
from tfplm.interop.tokenizers.tokenizer_files import TOKENIZER
from tfplm.interop.tokenizers.wordpiece import write_wordpiece
from tfplm.tokenizers.tokenizer import Tokenizer

_WRITERS = {"wordpiece": write_wordpiece, "byte_level_bpe": write_byte_level_bpe}  # others: SentencePiece, bytes


def write_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int, task_type: str = "") -> None:
    """Writes a tokenizer as the Auto classes of `transformers` read it.

    Args:
        tokenizer: of ours.
        folder: that is there.
        max_length: the most tokens that its model reads.
        task_type: of the model: a decoder's prompts have no end, and an encoder-decoder's sources no start.

    Raises:
        UserError: it has no form there.
    """
    _WRITERS.get(tokenizer.config.type, write_sentencepiece)(tokenizer, folder, max_length)
    if task_type == "causal_lm" and tokenizer.suffix_ids:
        _frame(tokenizer, folder, tokenizer.prefix_ids, ())
    elif task_type == "seq2seq_lm" and tokenizer.prefix_ids:
        _frame(tokenizer, folder, (), (tokenizer.end_id,))


def _frame(tokenizer: Tokenizer, folder: Path, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> None:
    """Puts other special tokens around a text than the tokenizer's own, which are those of an encoder."""
    backend = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    before, behind = tokenizer.token_strings(prefix), tokenizer.token_strings(suffix)
    backend.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", *behind],
        pair=[*before, "$A", *behind, "$B:1", *(f"{name}:1" for name in behind)],
        special_tokens=[(tokenizer.vocabulary[index], index) for index in {*prefix, *suffix}],
    )
    backend.save(str(folder / TOKENIZER), pretty=False)
