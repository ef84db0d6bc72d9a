"""From documents to shards: sentences are gathered, encoded in another thread and written in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from tfplm.data.corpus_reading import utf8_length
from tfplm.data.shards import ShardWriter
from tfplm.data.splitting import split_lines, split_paragraphs, split_sentences
from tfplm.tokenizers.tokenizer import Tokenizer

_BATCH_CHARACTERS = 1 << 20
_MAX_WAITING_BATCHES = 3


class EncodingWriter:
    """Gathers sentences into batches, has them encoded in another thread and writes the results in order.

    The tokenizer's op releases Python's lock, so reading and splitting go on meanwhile.

    Args:
        tokenizer: encodes the sentences. With a lossless one these are the lines with their ends, so that the ids of a
            document decode to its text.
        encoder: of one thread.
        writer: of the shards.

    Attributes:
        is_lossless: of the tokenizer.
        split: cuts a text into sentences.
        num_documents: given, also those not written yet.
        num_bytes: UTF-8 bytes of these.
        num_unknown: tokens that stand for what cannot be encoded.
    """

    def __init__(self, tokenizer: Tokenizer, encoder: ThreadPoolExecutor, writer: ShardWriter):
        self._tokenizer, self._encoder, self.writer = tokenizer, encoder, writer
        self.is_lossless = tokenizer.is_lossless
        self.split: Callable[[str], Iterable[str]] = split_lines if self.is_lossless else _sentences
        self._waiting: deque[tuple[Future, list[int]]] = deque()
        self._start_batch()
        self.num_documents = self.num_bytes = self.num_unknown = 0

    def add_document(self, text: str) -> None:
        self._add(self.split(text), utf8_length(text))

    def add_sentences(self, sentences: list[str]) -> None:
        """Adds some sentences of a document as a document."""
        self._add(sentences, sum(map(utf8_length, sentences)))

    def finish(self) -> None:
        self._submit()
        while self._waiting:
            self._write_first()

    def _add(self, sentences: Iterable[str], num_bytes: int) -> None:
        for sentence in sentences:
            self._sentences.append(sentence)
            self._num_characters += len(sentence)
            if self._num_characters >= _BATCH_CHARACTERS:
                self._submit()
        self._document_ends.append(len(self._sentences))
        self.num_documents += 1
        self.num_bytes += num_bytes

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
        ids, unknown_id = ragged.flat_values.numpy(), self._tokenizer.unknown_id
        num_unknown = 0 if unknown_id is None else int(np.count_nonzero(ids == unknown_id))
        return ids, np.diff(ragged.row_splits.numpy()), num_unknown

    def _write_first(self) -> None:
        future, document_ends = self._waiting.popleft()
        ids, sentence_lengths, num_unknown = future.result()
        self.writer.add_documents(ids, sentence_lengths, document_ends)
        self.num_unknown += num_unknown


def _sentences(text: str) -> Iterator[str]:
    for paragraph in split_paragraphs(text):
        yield from split_sentences(paragraph)
