"""Sets of words in columns, with a tag each."""

from pathlib import Path

from benchmarks.tasks.archives import read_member, read_text_file
from tfplm.errors import UserError

TaggedSentence = list[tuple[str, str]]  # word, tag


def conll2000(data: Path) -> dict[str, list[TaggedSentence]]:
    """CoNLL-2000: the official parts, words and chunk tags; the parts of speech are left out.

    Source: Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task: Chunking".
    """
    path = data / "nltk/conll2000.zip"
    return {
        split: _sentences(read_member(path, f"conll2000/{split}.txt"), f"{path}, {split}.txt", columns=3)
        for split in ("train", "test")
    }


def wnut17(data: Path) -> dict[str, list[TaggedSentence]]:
    """WNUT17: the official parts; that to validate is not trained on.

    Source: Derczynski et al. 2017, "Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition".
    """
    files = {"train": "wnut17train", "validation": "emerging.dev", "test": "emerging.test"}
    paths = {split: data / f"wnut17/{name}.conll" for split, name in files.items()}
    return {split: _sentences(read_text_file(path), str(path), columns=2) for split, path in paths.items()}


def _sentences(text: str, origin: str, columns: int) -> list[TaggedSentence]:
    """Sentences, between which lines are empty. A word of white space alone, which no encoder sees, is left out."""
    sentences: list[TaggedSentence] = [[]]
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.rstrip("\r").split("\t" if "\t" in line else " ")
        if not "".join(cells).strip():
            sentences.append([])
        elif len(cells) != columns:
            raise UserError(f"{origin}, line {number}: {len(cells)} columns.", f"Expected {columns}.")
        elif cells[0].strip():
            sentences[-1].append((cells[0], cells[-1]))
    return [sentence for sentence in sentences if sentence]
