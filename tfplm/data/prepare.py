"""From raw text to a vocabulary, and from raw text to token shards."""

import contextlib
import errno
import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfplm.data.configuration import CorpusConfig
from tfplm.data.corpus_reading import CorpusReading
from tfplm.data.encoding_writer import EncodingWriter
from tfplm.data.shards import ShardWriter, token_dtype
from tfplm.data.splitting import cut_off_end
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.tokenizers import loading
from tfplm.tokenizers.tokenizer import Tokenizer

_LARGE_SHARE = 0.1  # of the text: a document that holds more does not move to validation as a whole


def train_tokenizer(experiment: ExperimentConfig, held_out: set[str], progress: Progress) -> Tokenizer:
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
    if experiment.tokenizer.type == "bytes":  # which are known without reading
        return loading.train_tokenizer((), experiment.tokenizer)
    reading = CorpusReading(experiment.corpus, held_out)
    with progress.task("reading text for the vocabulary", reading.total_megabytes, "MB") as task:
        return loading.train_tokenizer((document.text for document in reading.documents(task)), experiment.tokenizer)


def prepare_corpus(
    corpus: CorpusConfig,
    tokenizer: Tokenizer,
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

    With a lossless tokenizer the ids of a document decode to exactly its clean text: its "sentences" are lines with
    their ends, and the part of a document that moves is measured in bytes.

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
        validation_tokens, validation_bytes, repeated_documents, held_out_documents, unknown_token_rate, seconds,
        megabytes_per_second.

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
        train, validation = (EncodingWriter(tokenizer, encoder, writer) for writer in shards)
        _distribute(reading, task, train, validation, corpus.validation_fraction, seed)
        train.finish()
        validation.finish()
    return _figures(reading, train, validation, time.perf_counter() - start)


def _distribute(
    reading: CorpusReading,
    task,
    train: EncodingWriter,
    validation: EncodingWriter,
    validation_fraction: float,
    seed: int,
) -> None:
    """Gives every document to training or validation; the one of the smallest hash is held back to the end."""
    held_back, smallest = None, 2.0
    for document in reading.documents(task):
        if not validation_fraction:
            train.add_document(document.text)
            continue
        place = _hash_fraction(seed, document.group)
        text = document.text
        if place < smallest:
            held_back, text = text, held_back
            smallest, place = place, smallest
        if text is not None:
            (validation if place < validation_fraction else train).add_document(text)
    if held_back is not None:
        _place_held_back(held_back, reading.num_characters, train, validation, validation_fraction)


def _place_held_back(
    text: str, num_characters: int, train: EncodingWriter, validation: EncodingWriter, validation_fraction: float
) -> None:
    """The document goes to validation, or only its end where it is large or training would be left without text."""
    if train.num_documents and len(text) <= max(_LARGE_SHARE, validation_fraction) * num_characters:
        validation.add_document(text)
        return
    share = min(1.0, validation_fraction * num_characters / len(text))
    if train.is_lossless and len(text) > 1:
        beginning, end = cut_off_end(text, share)
        train.add_document(beginning)
        validation.add_document(end)
        return
    sentences = list(train.split(text))
    num_moved = max(1, round(share * len(sentences)))
    num_kept = max(len(sentences) - num_moved, 0 if train.num_documents else 1)
    if num_kept:
        train.add_sentences(sentences[:num_kept])
    if num_kept < len(sentences):
        validation.add_sentences(sentences[num_kept:])


def _hash_fraction(seed: int, group: str) -> float:
    """A number from 0 to 1 that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}:{group}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _figures(reading: CorpusReading, train: EncodingWriter, validation: EncodingWriter, seconds: float) -> dict:
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
        "validation_bytes": validation.num_bytes,
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
