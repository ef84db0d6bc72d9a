"""Training of WordPiece vocabularies; the `tokenizers` package counts and merges, tfplm samples and orders."""

import heapq
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import tensorflow_text as tf_text
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tfplm.errors import UserError
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import CONTINUING_PREFIX, SPECIAL_TOKENS, UNKNOWN, WordPieceTokenizer

# Lines; a very long one in parts of at most 8,000 characters, cut at white space where there is some.
_SAMPLING_UNIT = re.compile(r"\S[^\n]{0,7999}(?!\S)|\S[^\n]{0,7999}")
_LINES_A_BATCH = 4096


def train_wordpiece(texts: Iterable[str], config: WordPieceConfig) -> WordPieceTokenizer:
    """Trains a WordPiece vocabulary of exactly ``config.vocabulary_size`` tokens; the same texts give the same one.

    The special tokens come first, then the single characters, then the pieces in the order of their merging. At most
    half of the vocabulary are characters, the most frequent ones, so that rare signs do not crowd out the pieces. Where
    the text does not give so many pieces, as Chinese does not, further characters fill the rest.

    Args:
        texts: the text; read once, and no more than ``config.max_training_characters`` of it is kept in memory.
        config: size, case folding and sample size.

    Raises:
        UserError: there is no text, or it gives fewer tokens than asked for.
    """
    sample = _normalize(sample_text(texts, config.max_training_characters), config)
    if not sample:
        raise UserError("There is no text to train a tokenizer on.", "Expected at least a few thousand words.")
    if config.vocabulary_size <= len(SPECIAL_TOKENS):
        raise UserError(
            f"tokenizer.vocabulary_size is {config.vocabulary_size}.",
            f"Expected more than the {len(SPECIAL_TOKENS)} special tokens, in practice 1,000 to 100,000.",
        )
    vocabulary = _train(sample, config)
    if len(vocabulary) < config.vocabulary_size:
        size = _largest_size(sample, config, len(vocabulary))
        raise UserError(
            f"The text gives only {size} WordPiece tokens.",
            f"Expected {config.vocabulary_size} (tokenizer.vocabulary_size).",
            f"Set tokenizer.vocabulary_size={size} or less, or lower tokenizer.min_frequency, or give more text.",
        )
    return WordPieceTokenizer(vocabulary, config)


def sample_text(texts: Iterable[str], max_characters: int) -> list[str]:
    """An even random sample of lines, in their order, of at most ``max_characters``; deterministic.

    Every line has the same chance, wherever it stands; no more than the sample is kept in memory.
    """
    generator = random.Random(0)
    kept: list[tuple[float, int, str]] = []  # a heap; the line with the greatest random number leaves first
    num_characters = 0
    for order, line in enumerate(_lines(texts)):
        heapq.heappush(kept, (-generator.random(), order, line[:max_characters]))
        num_characters += min(len(line), max_characters)
        while num_characters > max_characters:
            num_characters -= len(heapq.heappop(kept)[2])
    return [line for _, _, line in sorted(kept, key=lambda item: item[1])]


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for match in _SAMPLING_UNIT.finditer(text):
            yield match[0]


def _train(sample: list[str], config: WordPieceConfig) -> list[str]:
    """The tokens of the sample, at most as many as asked for."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN, continuing_subword_prefix=CONTINUING_PREFIX))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    characters = _frequent_characters(sample, tokenizer, config.min_frequency)
    # Given in a fixed order: the trainer's own order of '##x' pieces, and with it every tie between merges, changes
    # from run to run (seen with tokenizers 0.23).
    alphabet = sorted(characters[: (config.vocabulary_size - len(SPECIAL_TOKENS)) // 2])
    trainer = trainers.WordPieceTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=config.min_frequency,
        special_tokens=[*SPECIAL_TOKENS, *alphabet, *_continuing(alphabet, tokenizer)],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=CONTINUING_PREFIX,
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer, length=len(sample))
    ids = tokenizer.get_vocab()
    vocabulary = sorted(ids, key=ids.__getitem__)
    further = [token for token in (*characters, *_continuing(characters, tokenizer)) if token not in ids]
    return vocabulary + further[: config.vocabulary_size - len(vocabulary)]


def _normalize(lines: list[str], config: WordPieceConfig) -> list[str]:
    """Folds case and accents as encoding will: with the op, or as BERT (see WordPieceTokenizer)."""
    if config.normalization == "bert":
        strips = config.lowercase if config.strip_accents is None else config.strip_accents
        of_bert = normalizers.BertNormalizer(strip_accents=strips, lowercase=config.lowercase)
        return [of_bert.normalize_str(line) for line in lines]
    if not config.lowercase:
        return lines
    normalizer = tf_text.FastBertNormalizer(lower_case_nfd_strip_accents=True)
    batches = (lines[start : start + _LINES_A_BATCH] for start in range(0, len(lines), _LINES_A_BATCH))
    return [line.decode("utf-8", "replace") for batch in batches for line in normalizer.normalize(batch).numpy()]


def _largest_size(sample: list[str], config: WordPieceConfig, size: int) -> int:
    """The size that the text can fill, at most ``size``: a smaller vocabulary has fewer characters to merge."""
    filled = len(_train(sample, config.model_copy(update={"vocabulary_size": size})))
    return size if filled == size else _largest_size(sample, config, filled)


def _frequent_characters(sample: list[str], tokenizer: Tokenizer, min_frequency: int) -> list[str]:
    """The characters that are left after normalization, the most frequent first."""
    raw: Counter[str] = Counter()
    for line in sample:
        raw.update(line)
    counts: Counter[str] = Counter()
    for character, count in raw.items():
        for part in tokenizer.normalizer.normalize_str(character):
            if not part.isspace():
                counts[part] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [character for character, count in ordered if count >= min_frequency]


def _continuing(characters: list[str], tokenizer: Tokenizer) -> list[str]:
    """'##x' of the characters that can stand inside a word: not so punctuation and CJK characters."""
    return [CONTINUING_PREFIX + character for character in characters if not _stands_alone(character, tokenizer)]


def _stands_alone(character: str, tokenizer: Tokenizer) -> bool:
    normalized = tokenizer.normalizer.normalize_str(f"a{character}a")
    return len(tokenizer.pre_tokenizer.pre_tokenize_str(normalized)) > 1
