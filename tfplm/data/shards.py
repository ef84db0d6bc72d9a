"""Token shards: flat ids on disk with the ends of sentences and documents, read through memory maps."""

import contextlib
import functools
import json
from pathlib import Path

import numpy as np

from tfplm.errors import UserError
from tfplm.run_directory import write_text

FORMAT_VERSION = 1
_INDEX = "index.json"


def token_dtype(vocabulary_size: int) -> np.dtype:
    """The smallest dtype that holds every id."""
    return np.dtype(np.uint16 if vocabulary_size <= 2**16 else np.uint32)


class ShardWriter:
    """Writes documents into shards, streaming; a shard ends where a document ends.

    A shard is ``NNNNN.tokens.npy`` (flat ids), ``NNNNN.sentence_ends.npy`` (int64, offsets into its tokens) and
    ``NNNNN.document_ends.npy`` (int64, offsets into its sentences). ``close`` writes ``index.json``, last.

    Args:
        folder: where to; made if it is not there.
        dtype: of the ids, see ``token_dtype``.
        tokens_per_shard: a shard is closed by the first document that fills it to so many tokens.
    """

    def __init__(self, folder: str | Path, dtype: np.dtype, tokens_per_shard: int = 2**24):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.num_bytes = self.num_tokens = self.num_sentences = self.num_documents = 0
        self._dtype = np.dtype(dtype)
        self._tokens_per_shard = tokens_per_shard
        self._finished: list[dict[str, int]] = []
        self._shard: _Shard | None = None

    def add_documents(self, tokens: np.ndarray, sentence_lengths: np.ndarray, document_ends: np.ndarray) -> None:
        """Appends sentences; a document that does not end here goes on in the next call.

        Sentences without tokens and documents without sentences are left out.

        Args:
            tokens: ids (tokens,), the sentences one after another.
            sentence_lengths: tokens of every sentence (sentences,).
            document_ends: how many of these sentences stand before each document's end, ascending (documents,).
        """
        lengths = np.asarray(sentence_lengths, np.int64)
        if lengths.sum() != len(tokens):
            raise ValueError(f"sentence_lengths: expected the sum {len(tokens)}, got {lengths.sum()}")
        filled = lengths > 0
        sentences_before = np.concatenate([[0], np.cumsum(filled)])
        document_ends = sentences_before[np.asarray(document_ends, np.int64)]
        token_offsets = np.concatenate([[0], np.cumsum(lengths[filled])])  # (sentences + 1,)
        start = first_document = 0
        while True:
            room = self._tokens_per_shard - (self._shard.num_tokens if self._shard else 0)
            token_ends = token_offsets[document_ends[first_document:]]
            filling = first_document + int(np.searchsorted(token_ends, token_offsets[start] + room))
            full = filling < len(document_ends)
            stop = int(document_ends[filling]) if full else len(token_offsets) - 1
            offsets = token_offsets[start : stop + 1]
            ends = document_ends[first_document : filling + 1] - start
            self._append(tokens[offsets[0] : offsets[-1]], offsets[1:] - offsets[0], ends)
            if not full:
                return
            self._end_shard()
            start, first_document = stop, filling + 1

    def close(self) -> None:
        """Ends the last document and shard and writes the index."""
        self._end_shard()
        index = {"format_version": FORMAT_VERSION, "dtype": self._dtype.name, "shards": self._finished}
        write_text(self.folder / _INDEX, json.dumps(index, indent=2) + "\n")

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        """Closes the writer; after an error only the files, and without an index they cannot be opened as shards."""
        if error_type is None:
            self.close()
        elif self._shard is not None:
            with contextlib.suppress(OSError):  # the disk is full still; the first error is the one to tell of
                self._shard.close()

    def _append(self, tokens: np.ndarray, sentence_ends: np.ndarray, document_ends: np.ndarray) -> None:
        if self._shard is None:
            if not len(tokens):
                return
            self._shard = _Shard(self.folder / f"{len(self._finished):05d}", self._dtype)
        before = self._shard.num_documents
        self._shard.append(tokens, sentence_ends, document_ends)
        self.num_tokens += len(tokens)
        self.num_sentences += len(sentence_ends)
        self.num_documents += self._shard.num_documents - before
        self.num_bytes = self.num_tokens * self._dtype.itemsize + 8 * (self.num_sentences + self.num_documents)

    def _end_shard(self) -> None:
        if self._shard is None:
            return
        before = self._shard.num_documents
        self._shard.end_document()
        self.num_documents += self._shard.num_documents - before
        self._finished.append(self._shard.close())
        self._shard = None


class _Shard:
    """The three growing arrays of one shard."""

    def __init__(self, stem: Path, dtype: np.dtype):
        self._tokens = _NpyStream(Path(f"{stem}.tokens.npy"), dtype)
        self._sentence_ends = _NpyStream(Path(f"{stem}.sentence_ends.npy"), np.dtype(np.int64))
        self._document_ends = _NpyStream(Path(f"{stem}.document_ends.npy"), np.dtype(np.int64))
        self._last_document_end = 0

    @property
    def num_tokens(self) -> int:
        return self._tokens.length

    @property
    def num_documents(self) -> int:
        return self._document_ends.length

    def append(self, tokens: np.ndarray, sentence_ends: np.ndarray, document_ends: np.ndarray) -> None:
        document_ends = np.unique(self._sentence_ends.length + document_ends)
        document_ends = document_ends[document_ends > self._last_document_end]
        self._sentence_ends.append(self._tokens.length + sentence_ends)
        self._tokens.append(tokens)
        self._document_ends.append(document_ends)
        self._last_document_end = int(document_ends[-1]) if len(document_ends) else self._last_document_end

    def end_document(self) -> None:
        if self._sentence_ends.length > self._last_document_end:
            self._document_ends.append(np.array([self._sentence_ends.length]))

    def close(self) -> dict[str, int]:
        streams = {"tokens": self._tokens, "sentences": self._sentence_ends, "documents": self._document_ends}
        for stream in streams.values():
            stream.close()
        return {name: stream.length for name, stream in streams.items()}


class _NpyStream:
    """A one-dimensional .npy file that grows; the header is written again at the end with the length reached."""

    def __init__(self, path: Path, dtype: np.dtype):
        self._dtype = dtype
        self.length = 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, values: np.ndarray) -> None:
        values = np.ascontiguousarray(values, self._dtype)
        self._file.write(values.data)
        self.length += len(values)

    def close(self) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()  # as long as the first one: NumPy leaves room for the length to grow

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._file, header)


class TokenShards:
    """A folder of shards as one sequence of tokens, sentences and documents; nothing is read before it is asked for.

    Example:
        >>> shards = TokenShards.open("runs/quickstart/prepare/shards/train")
        >>> shards.tokens(0, 128).shape
        (128,)
    """

    def __init__(self, folder: Path, shards: list[dict[str, np.ndarray]]):
        self.folder = folder
        self._shards = shards
        self._first_token = self._firsts("tokens")
        self._first_sentence = self._firsts("sentence_ends")
        self._first_document = self._firsts("document_ends")
        self.num_tokens = int(self._first_token[-1])
        self.num_sentences = int(self._first_sentence[-1])
        self.num_documents = int(self._first_document[-1])

    @classmethod
    def open(cls, folder: str | Path) -> "TokenShards":
        """Opens what ShardWriter wrote. Raises UserError when it is missing, incomplete or of another version."""
        folder = Path(folder)
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            if index["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format_version is {index['format_version']}, expected {FORMAT_VERSION}")
            return cls(folder, [_open_shard(folder, i, counts) for i, counts in enumerate(index["shards"])])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{folder} does not hold whole token shards: {error}.",
                f"Expected {_INDEX} and the arrays that it counts.",
                "Prepare the corpus again (tfplm prepare).",
            ) from error

    def tokens(self, start: int, stop: int) -> np.ndarray:
        """Ids ``start`` to ``stop`` of the whole corpus, int32 (stop - start,); may cross shards."""
        if not 0 <= start <= stop <= self.num_tokens:
            raise ValueError(f"start, stop: expected 0 <= start <= stop <= {self.num_tokens}, got {start}, {stop}")
        result = np.empty(stop - start, np.int32)
        shard = int(np.searchsorted(self._first_token, start, side="right")) - 1
        position = start
        while position < stop:
            offset = self._first_token[shard]
            end = min(stop, int(self._first_token[shard + 1]))
            result[position - start : end - start] = self._shards[shard]["tokens"][position - offset : end - offset]
            position, shard = end, shard + 1
        return result

    def tokens_at(self, places: np.ndarray) -> np.ndarray:
        """Ids at any places of the whole corpus, int64 in [0, num_tokens): int32 of the same shape."""
        shard_numbers = np.searchsorted(self._first_token, places, side="right") - 1
        result = np.empty(places.shape, np.int32)
        for shard in np.unique(shard_numbers):
            here = shard_numbers == shard
            result[here] = self._shards[shard]["tokens"][places[here] - self._first_token[shard]]
        return result

    @functools.cached_property
    def sentence_starts_tokens(self) -> np.ndarray:
        """First token of every sentence and the number of tokens, int64 (num_sentences + 1,)."""
        return self._global_offsets("sentence_ends", self._first_token)

    @functools.cached_property
    def document_first_sentence(self) -> np.ndarray:
        """First sentence of every document and the number of sentences, int64 (num_documents + 1,)."""
        return self._global_offsets("document_ends", self._first_sentence)

    @functools.cached_property
    def document_starts_tokens(self) -> np.ndarray:
        """First token of every document and the number of tokens, int64 (num_documents + 1,)."""
        ends = [
            shard["sentence_ends"][shard["document_ends"] - 1] + first
            for shard, first in zip(self._shards, self._first_token[:-1], strict=True)
        ]
        return np.concatenate([np.zeros(1, np.int64), *ends])

    def _firsts(self, name: str) -> np.ndarray:
        return np.cumsum([0, *(len(shard[name]) for shard in self._shards)], dtype=np.int64)

    def _global_offsets(self, name: str, firsts: np.ndarray) -> np.ndarray:
        ends = [shard[name] + first for shard, first in zip(self._shards, firsts[:-1], strict=True)]
        return np.concatenate([np.zeros(1, np.int64), *ends])


def _open_shard(folder: Path, number: int, counts: dict[str, int]) -> dict[str, np.ndarray]:
    shard = {}
    for name, count in (("tokens", "tokens"), ("sentence_ends", "sentences"), ("document_ends", "documents")):
        path = folder / f"{number:05d}.{name}.npy"
        shard[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        if shard[name].shape != (counts[count],):
            raise ValueError(f"{path.name} has the shape {shard[name].shape}, expected ({counts[count]},)")
    return shard
