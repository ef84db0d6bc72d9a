"""The documents of a corpus: all its sources, less what is held out or repeated."""

from collections.abc import Iterator
from pathlib import Path

from tfplm.data.configuration import CorpusConfig, PackageSource, TextSource
from tfplm.data.digest_set import DigestSet
from tfplm.data.sources import Document, read_documents, source_paths, text_digest
from tfplm.data.text_files import COMPRESSIONS
from tfplm.errors import UserError
from tfplm.progress import Task

_BYTES_BETWEEN_SIGNS = 1 << 18


class CorpusReading:
    """One pass over a corpus, with the counts of what was met.

    Args:
        corpus: the sources and what is done to them.
        held_out: groups of the documents that are left out.

    Attributes:
        total_megabytes: size of the sources; None where it is not known before they are read.
        num_bytes_met: UTF-8 bytes of all clean documents so far.
        num_documents, num_bytes, num_characters: of those that were yielded.
        num_held_out, num_repeated: documents left out.
    """

    def __init__(self, corpus: CorpusConfig, held_out: set[str]):
        self._corpus, self._held_out = corpus, held_out
        self.total_megabytes = _total_megabytes(corpus)
        self.num_documents = self.num_bytes = self.num_characters = self.num_bytes_met = 0
        self.num_held_out = self.num_repeated = 0

    def documents(self, task: Task) -> Iterator[Document]:
        """Yields the wanted documents and advances ``task`` by megabytes.

        Raises:
            UserError: a source cannot be read, or nothing of the corpus is left.
        """
        seen = DigestSet() if self._corpus.drop_repeated_documents else None
        signed = 0
        for source in self._corpus.sources:
            grouped = getattr(source, "group_column", None) is not None
            for document in read_documents(source, self._corpus.cleaning):
                num_bytes = utf8_length(document.text)
                self.num_bytes_met += num_bytes
                # Of the text; without a group column the group is the digest already.
                digest = text_digest(document.text) if grouped else document.group
                if not self._held_out.isdisjoint((document.group, digest)):
                    self.num_held_out += 1
                elif seen is not None and not seen.add(int(digest, 16)):
                    self.num_repeated += 1
                else:
                    self.num_documents += 1
                    self.num_bytes += num_bytes
                    self.num_characters += len(document.text)
                    yield document
                if self.num_bytes_met - signed >= _BYTES_BETWEEN_SIGNS:
                    task.advance((self.num_bytes_met - signed) / 1e6)
                    signed = self.num_bytes_met
        task.advance((self.num_bytes_met - signed) / 1e6)
        if not self.num_bytes:
            raise UserError(
                f"No text is left of the corpus: all {self.num_held_out:,} documents are held out for evaluation.",
                "Expected text that finetune.data does not keep for validation and test.",
                "Add sources to the corpus, or set corpus.hold_out_evaluation=false.",
            )


def utf8_length(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _total_megabytes(corpus: CorpusConfig) -> float | None:
    """Size of plain text files; what is compressed or has other columns says too little about its text."""
    if not all(isinstance(source, TextSource | PackageSource) for source in corpus.sources):
        return None
    paths: list[Path] = [path for source in corpus.sources for path in source_paths(source)]
    if any(path.suffix.lower() in COMPRESSIONS for path in paths):
        return None
    return sum(path.stat().st_size for path in paths) / 1e6
