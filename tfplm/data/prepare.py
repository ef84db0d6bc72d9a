"""From raw text to a vocabulary, and from raw text to token shards."""

import contextlib
import errno
import hashlib
import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfplm.data.configuration import CorpusConfig
from tfplm.data.corpus_reading import CorpusReading
from tfplm.data.shards import ShardWriter, token_dtype
from tfplm.data.splitting import split_paragraphs, split_sentences
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.tokenizers.training import train_wordpiece
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

_BATCH_CHARACTERS = 1 << 20
_MAX_WAITING_BATCHES = 3
_LARGE_SHARE = 0.1  # of the text: a document that holds more does not move to validation as a whole


def train_tokenizer(experiment: ExperimentConfig, held_out: set[str], progress: Progress) -> WordPieceTokenizer:
    """Trains the experiment's vocabulary on an even sample of its corpus.

    Args:
        experiment: has a corpus section.
        held_out: groups of the documents that are left out.
        progress: shows the reading.

    Raises:
        UserError: the corpus cannot be read, or does not give the vocabulary that was asked for.
    """
    if experiment.corpus is None:
        raise UserError("There is no corpus to train a tokenizer on.", remedy="Add a corpus section to the file.")
    reading = CorpusReading(experiment.corpus, held_out)
    with progress.task("reading text for the vocabulary", reading.total_megabytes, "MB") as task:
        return train_wordpiece((document.text for document in reading.documents(task)), experiment.tokenizer)


def prepare_corpus(
    corpus: CorpusConfig,
    tokenizer: WordPieceTokenizer,
    output: Path,
    held_out: set[str],
    seed: int,
    progress: Progress,
) -> dict:
    """Reads, cleans, splits and encodes a corpus into ``output/shards/train`` and ``output/shards/validation``.

    A document goes to validation by the hash of (seed, group), so that the choice does not change when others are
    added. There is always something to watch training with: where no hash falls below ``validation_fraction``, the
    document of the smallest one moves. Of a document that is more than a tenth of the text (an only one always is)
    just the last sentences move, as much text as ``validation_fraction`` asks for. Only a corpus of one sentence
    leaves validation empty.

    Memory holds a few batches and documents, and 12 to 24 bytes a document where repeats are dropped.

    Args:
        corpus: the sources and what is done to them.
        tokenizer: encodes the sentences.
        output: an existing folder.
        held_out: groups of the documents that are left out.
        seed: of the choice of validation documents.
        progress: shows megabytes of text.

    Returns:
        Figures: documents, sentences, tokens, bytes and characters of clean text, validation_documents,
        validation_tokens, repeated_documents, held_out_documents, unknown_token_rate, seconds, megabytes_per_second.

    Raises:
        UserError: a source cannot be read, no text is left, or the disk is full.
    """
    start = time.perf_counter()
    reading = CorpusReading(corpus, held_out)
    dtype = token_dtype(tokenizer.vocabulary_size)
    shards = [ShardWriter(output / "shards" / name, dtype, corpus.tokens_per_shard) for name in ("train", "validation")]
    with (
        progress.task("preparing the corpus", reading.total_megabytes, "MB") as task,
        _full_disk_explained(output, shards, reading),
        ThreadPoolExecutor(max_workers=1) as encoder,
        shards[0],
        shards[1],
    ):
        train, validation = (_EncodingWriter(tokenizer, encoder, writer) for writer in shards)
        _distribute(reading, task, train, validation, corpus.validation_fraction, seed)
        train.finish()
        validation.finish()
    return _figures(reading, train, validation, time.perf_counter() - start)


class _EncodingWriter:
    """Gathers sentences into batches, has them encoded in another thread and writes the results in order.

    The tokenizer's op releases Python's lock, so reading and splitting go on meanwhile.
    """

    def __init__(self, tokenizer: WordPieceTokenizer, encoder: ThreadPoolExecutor, writer: ShardWriter):
        self._tokenizer, self._encoder, self.writer = tokenizer, encoder, writer
        self._waiting: deque[tuple[Future, list[int]]] = deque()
        self._start_batch()
        self.num_unknown = 0
        self.num_documents = 0  # given, also those not written yet

    def add_document(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self._sentences.append(sentence)
            self._num_characters += len(sentence)
            if self._num_characters >= _BATCH_CHARACTERS:
                self._submit()
        self._document_ends.append(len(self._sentences))
        self.num_documents += 1

    def finish(self) -> None:
        self._submit()
        while self._waiting:
            self._write_first()

    def _start_batch(self) -> None:
        self._sentences: list[str] = []
        self._document_ends: list[int] = []
        self._num_characters = 0

    def _submit(self) -> None:
        self._waiting.append((self._encoder.submit(self._encode, self._sentences), self._document_ends))
        self._start_batch()
        if len(self._waiting) > _MAX_WAITING_BATCHES:
            self._write_first()

    def _encode(self, sentences: list[str]) -> tuple[np.ndarray, np.ndarray, int]:
        ragged = self._tokenizer.encode_ragged(sentences)
        ids = ragged.flat_values.numpy()
        num_unknown = int(np.count_nonzero(ids == self._tokenizer.unknown_id))
        return ids, np.diff(ragged.row_splits.numpy()), num_unknown

    def _write_first(self) -> None:
        future, document_ends = self._waiting.popleft()
        ids, sentence_lengths, num_unknown = future.result()
        self.writer.add_documents(ids, sentence_lengths, document_ends)
        self.num_unknown += num_unknown


def _distribute(
    reading: CorpusReading,
    task,
    train: _EncodingWriter,
    validation: _EncodingWriter,
    validation_fraction: float,
    seed: int,
) -> None:
    """Gives every document to training or validation; the one of the smallest hash is held back to the end."""
    held_back, smallest = None, 2.0
    for document in reading.documents(task):
        if not validation_fraction:
            train.add_document(_sentences(document.text))
            continue
        place = _hash_fraction(seed, document.group)
        text = document.text
        if place < smallest:
            held_back, text = text, held_back
            smallest, place = place, smallest
        if text is not None:
            (validation if place < validation_fraction else train).add_document(_sentences(text))
    if held_back is not None:
        _place_held_back(held_back, reading.num_characters, train, validation, validation_fraction)


def _place_held_back(
    text: str, num_characters: int, train: _EncodingWriter, validation: _EncodingWriter, validation_fraction: float
) -> None:
    """The document goes to validation, or only its end where it is large or training would be left without text."""
    if train.num_documents and len(text) <= max(_LARGE_SHARE, validation_fraction) * num_characters:
        validation.add_document(_sentences(text))
        return
    num_sentences = sum(1 for _ in _sentences(text))
    share = min(1.0, validation_fraction * num_characters / len(text))
    num_moved = max(1, round(share * num_sentences))
    num_kept = max(num_sentences - num_moved, 0 if train.num_documents else 1)
    sentences = _sentences(text)
    if num_kept:
        train.add_document(itertools.islice(sentences, num_kept))
    if num_kept < num_sentences:
        validation.add_document(sentences)


def _sentences(text: str) -> Iterator[str]:
    for paragraph in split_paragraphs(text):
        yield from split_sentences(paragraph)


def _hash_fraction(seed: int, group: str) -> float:
    """A number from 0 to 1 that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}:{group}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _figures(reading: CorpusReading, train: _EncodingWriter, validation: _EncodingWriter, seconds: float) -> dict:
    writers = (train.writer, validation.writer)
    num_tokens = sum(writer.num_tokens for writer in writers)
    return {
        "documents": reading.num_documents,
        "sentences": sum(writer.num_sentences for writer in writers),
        "tokens": num_tokens,
        "bytes": reading.num_bytes,
        "characters": reading.num_characters,
        "validation_documents": validation.writer.num_documents,
        "validation_tokens": validation.writer.num_tokens,
        "repeated_documents": reading.num_repeated,
        "held_out_documents": reading.num_held_out,
        "unknown_token_rate": (train.num_unknown + validation.num_unknown) / max(1, num_tokens),
        "seconds": seconds,
        "megabytes_per_second": reading.num_bytes_met / 1e6 / seconds,
    }


@contextlib.contextmanager
def _full_disk_explained(output: Path, writers: list[ShardWriter], reading: CorpusReading) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        written, read = sum(writer.num_bytes for writer in writers) / 1e6, reading.num_bytes_met / 1e6
        whole = f"about {written * max(1.0, (reading.total_megabytes or 0) / read):.0f} MB" if read else "more"
        known = "in all" if reading.total_megabytes else "so far, and the size of the corpus is not known"
        raise UserError(
            f"No space is left for the shards in {output}: {written:.0f} MB were made of {read:.0f} MB of text.",
            f"Needed are {whole} {known}.",
            "Make room, or set output_dir to a larger disk.",
        ) from error
