"""Training of SentencePiece models by the `sentencepiece` package."""

import io
import itertools
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from tfplm.errors import UserError
from tfplm.tokenizers.configuration import SentencePieceConfig
from tfplm.tokenizers.lossless import END_ID, PAD_ID, SPECIAL_TOKENS, START_ID, UNKNOWN_ID
from tfplm.tokenizers.sentencepiece import (
    ESCAPED_ESCAPE,
    ESCAPED_SPACE_SIGN,
    SPACE_SIGN,
    SentencePieceTokenizer,
)
from tfplm.tokenizers.training import sample_text

_OWN_SYMBOLS = ("\n", ESCAPED_ESCAPE, ESCAPED_SPACE_SIGN)
_NUM_FIXED = len(SPECIAL_TOKENS) + len(_OWN_SYMBOLS) + 256  # pieces of every model, the bytes among them
# A line is cut at these in training: the signs of the escapes, so that no piece grows into one, and signs that the
# trainer keeps for itself. Encoding has their bytes.
_NEVER_IN_PIECES = frozenset(f"{ESCAPED_ESCAPE}{ESCAPED_SPACE_SIGN}{SPACE_SIGN}\0\t▅")
# The only normalization, in hexadecimal as SentencePiece wants it.
_RULES = f"{ord(SPACE_SIGN):X}\t{' '.join(f'{ord(sign):X}' for sign in ESCAPED_SPACE_SIGN)}\n"
# Protobuf takes appended bytes for a further message to merge: field 3, the normalizer, with an empty field 6, the path
# of the rules, which is a temporary one and would make two equal models differ.
_NO_PATH_OF_RULES = b"\x1a\x02\x32\x00"
_SILENT = 4  # above sentencepiece's levels of messages; what goes wrong is an exception


def train_sentencepiece(texts: Iterable[str], config: SentencePieceConfig) -> SentencePieceTokenizer:
    """Trains a SentencePiece model of exactly ``config.vocabulary_size`` tokens; the same texts give the same one.

    The special ids come first, then the line end and the two escapes, then the bytes, then the pieces, then the
    sentinels. The most frequent characters that make up ``config.character_coverage`` of the text are pieces, and at
    most two thirds of the pieces are characters where the text gives other pieces: Chinese too gets words.

    Args:
        texts: the text; read once, and no more than ``config.max_training_characters`` of it is kept in memory.
        config: model, size, sentinels and sample size.

    Raises:
        UserError: there is no text, or it gives fewer tokens than asked for.
    """
    sample = sample_text(texts, config.max_training_characters)
    alphabet = _alphabet(sample, config.character_coverage)
    if not alphabet:
        raise UserError("There is no text to train a tokenizer on.", "Expected at least a few thousand words.")
    num_fixed = _NUM_FIXED + config.num_sentinels
    if config.vocabulary_size <= num_fixed:
        raise UserError(
            f"tokenizer.vocabulary_size is {config.vocabulary_size}.",
            f"Expected more than the {num_fixed} special tokens, bytes and sentinels, in practice 1,000 to 100,000.",
        )
    model, size = _fill(sample, alphabet, config)
    if size < config.vocabulary_size:
        size = _largest_size(sample, alphabet, config, size)
        raise UserError(
            f"The text gives only {size} SentencePiece tokens.",
            f"Expected {config.vocabulary_size} (tokenizer.vocabulary_size).",
            f"Set tokenizer.vocabulary_size={size} or less, or give more text.",
        )
    return SentencePieceTokenizer(model, config)


def _alphabet(sample: list[str], coverage: float) -> str:
    """The most frequent characters, which make up ``coverage`` of the sample, the most frequent one first."""
    counts = Counter(itertools.chain.from_iterable(sample))
    ordered = sorted(counts, key=lambda character: (-counts[character], character))
    before = itertools.accumulate((counts[character] for character in ordered), initial=0)
    wanted = coverage * counts.total()
    return "".join(
        character
        for character, covered in zip(ordered, before, strict=False)
        if covered < wanted and character not in _NEVER_IN_PIECES
    )


def _fill(sample: list[str], alphabet: str, config: SentencePieceConfig) -> tuple[bytes, int]:
    """A model of as many tokens as asked for or, where the text gives fewer, of those; and how many they are.

    At most two thirds of its pieces are characters, unless the others do not fill it.
    """
    num_pieces = config.vocabulary_size - config.num_sentinels - _NUM_FIXED
    num_characters = max(num_pieces * 2 // 3, 1)  # gave the fewest tokens for Chinese with 2,000 ids
    while True:
        model, size = _train(_covered(sample, alphabet[:num_characters]), config)
        missing = config.vocabulary_size - size
        if missing == 0 or num_characters >= min(num_pieces, len(alphabet)):
            return model, size
        num_characters = min(num_characters + missing, num_pieces)


def _largest_size(sample: list[str], alphabet: str, config: SentencePieceConfig, size: int) -> int:
    """The size that the text can fill, at most ``size``: a smaller vocabulary is allowed fewer characters."""
    _, filled = _fill(sample, alphabet, config.model_copy(update={"vocabulary_size": size}))
    return size if filled == size else _largest_size(sample, alphabet, config, filled)


def _covered(sample: list[str], alphabet: str) -> Iterator[bytes]:
    """The lines, cut where a character stands that is not of the alphabet: it is to be bytes."""
    others = re.compile(f"[^{re.escape(alphabet)}]+")
    for line in sample:
        for part in others.split(line):
            yield part.encode("utf-8", "replace")


def _train(lines: Iterator[bytes], config: SentencePieceConfig) -> tuple[bytes, int]:
    """A model of at most as many tokens as asked for, and how many they are with the sentinels."""
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        rules.write_text(_RULES, encoding="utf-8")
        SentencePieceTrainer.Train(
            sentence_iterator=lines,
            model_writer=model,
            model_type=config.model,
            vocab_size=config.vocabulary_size - config.num_sentinels,
            hard_vocab_limit=False,
            character_coverage=1.0,  # of what is given
            byte_fallback=True,
            user_defined_symbols=list(_OWN_SYMBOLS),
            pad_id=PAD_ID,
            eos_id=END_ID,
            unk_id=UNKNOWN_ID,
            bos_id=START_ID,
            normalization_rule_tsv=str(rules),
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,  # a text would come back without its first space, or cost a token more
            max_sentence_length=1 << 20,  # bytes; a longer line would be left out
            num_threads=8,  # the sums of unigram's training depend on it
            minloglevel=_SILENT,
        )
    processor = SentencePieceProcessor(model_proto=model.getvalue() + _NO_PATH_OF_RULES)
    return processor.serialized_model_proto(), processor.GetPieceSize() + config.num_sentinels
