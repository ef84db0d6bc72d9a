"""The standard sets: where they lie in the data folder, what they ask for, and how both sides are trained on them.

`write_files` turns a set into the files that tfplm's readers, and the peers', take: JSON lines with ``text``, ``label``
and for pairs ``text_pair``; columns of words and tags; or JSON in SQuAD's format.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.tasks.column_sets import conll2000, wnut17
from benchmarks.tasks.labelled_sets import recognizing_entailment, sentence_polarity, trec_questions
from benchmarks.tasks.passage_sets import cmrc2018, num_questions

Kind = Literal["text", "pair", "tags", "answers"]
Start = Literal["checkpoint", "scratch"]

SUFFIXES = {"text": "jsonl", "pair": "jsonl", "tags": "conll", "answers": "json"}
METRICS = {
    "text": ("accuracy", "macro F1"),
    "pair": ("accuracy", "macro F1"),
    "tags": ("F1", "precision", "recall"),
    "answers": ("F1", "exact match"),
}  # the first one says who is ahead


@dataclass(frozen=True)
class Recipe:
    """How both sides train.

    Args:
        epochs: over the training part.
        learning_rate: at the end of the warm-up; falls linearly to 0.
        batch_size: examples of a step; for answers windows.
        sequence_length: tokens that are read at most.
        packed_rows: rows of ``sequence_length`` tokens that hold about ``batch_size`` examples, for a side that packs.
        overlap: tokens that two windows of a passage share.
        stride: tokens from one window to the next, for a side that asks for that instead: what the overlap leaves of
            ``sequence_length`` beside a question of usual length.
        max_answer_length: tokens.
        warmup_fraction: of all steps.
        weight_decay: of matrices alone.
        epsilon: of AdamW.
        clip_norm: largest norm of the gradient.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 32
    sequence_length: int = 128
    packed_rows: int | None = None
    overlap: int = 64
    stride: int = 172
    max_answer_length: int = 64
    warmup_fraction: float = 0.1
    weight_decay: float = 0.01
    epsilon: float = 1e-8
    clip_norm: float = 1.0


@dataclass(frozen=True)
class TaskSet:
    """One standard set.

    Args:
        title: for the table.
        kind: what is learned.
        read: the parts "train", "test" and where there is one "validation", of the data folder.
        checkpoint: the recipe from the pretrained checkpoint.
        scratch: the recipe of a small model from scratch.
        vocabulary_size: of the vocabulary that the model from scratch learns from the training part.
        is_chinese: answers are compared by CMRC's rule.
    """

    title: str
    kind: Kind
    read: Callable[[Path], dict[str, list]]
    checkpoint: Recipe
    scratch: Recipe
    vocabulary_size: int = 8000
    is_chinese: bool = False

    def recipe(self, start: Start) -> Recipe:
        """That of a start."""
        return self.checkpoint if start == "checkpoint" else self.scratch


SCRATCH_SIZES = {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024}

SETS = {
    "mr": TaskSet(
        "MR",
        "text",
        sentence_polarity,
        checkpoint=Recipe(epochs=2, learning_rate=1e-4, packed_rows=7),
        scratch=Recipe(epochs=10, learning_rate=5e-4, packed_rows=7),
    ),
    "trec": TaskSet(
        "TREC",
        "text",
        trec_questions,
        checkpoint=Recipe(epochs=3, learning_rate=2e-4, sequence_length=64, packed_rows=7),
        scratch=Recipe(epochs=10, learning_rate=5e-4, sequence_length=64, packed_rows=7),
        vocabulary_size=4000,
    ),
    "rte": TaskSet(
        "RTE 1–3",
        "pair",
        recognizing_entailment,
        checkpoint=Recipe(epochs=3, learning_rate=1e-4, sequence_length=256, packed_rows=7),
        scratch=Recipe(epochs=6, learning_rate=5e-4, sequence_length=256, packed_rows=7),
    ),
    "conll2000": TaskSet(
        "CoNLL-2000",
        "tags",
        conll2000,
        checkpoint=Recipe(epochs=2, learning_rate=3e-4, packed_rows=8),
        scratch=Recipe(epochs=10, learning_rate=5e-4, packed_rows=8),
    ),
    "wnut17": TaskSet(
        "WNUT17",
        "tags",
        wnut17,
        checkpoint=Recipe(epochs=4, learning_rate=3e-4, packed_rows=8),
        scratch=Recipe(epochs=10, learning_rate=5e-4, packed_rows=8),
    ),
    "cmrc2018": TaskSet(
        "CMRC 2018",
        "answers",
        cmrc2018,
        checkpoint=Recipe(epochs=1, learning_rate=3e-4, batch_size=16, sequence_length=256),
        scratch=Recipe(epochs=2, learning_rate=5e-4, batch_size=16, sequence_length=256),
        is_chinese=True,
    ),
}
_QUICK_COUNTS = {"train": 64, "validation": 16, "test": 16}  # examples
_QUICK_ARTICLES = {"train": 8, "test": 4}  # of several questions each


def quick(task_set: TaskSet) -> TaskSet:
    """The set with a small vocabulary and one epoch; its files are small as well where `write_files` is told so."""
    recipes = {start: replace(task_set.recipe(start), epochs=1) for start in ("checkpoint", "scratch")}
    return replace(task_set, vocabulary_size=256, **recipes)


@dataclass(frozen=True)
class SetFiles:
    """The files of a set.

    Args:
        paths: by part.
        counts: examples by part; of tags sentences, of answers questions.
    """

    paths: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def write_files(name: str, task_set: TaskSet, data: Path, folder: Path, is_quick: bool) -> SetFiles:
    """Reads a set and writes its parts into the folder.

    Args:
        name: of the set, for the names of its files.
        task_set: which.
        data: the data folder.
        folder: where to.
        is_quick: whether to take a few examples alone.

    Raises:
        UserError: a file of the set is missing or not as expected.
    """
    paths, counts = {}, {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, examples in task_set.read(data).items():
        if is_quick:  # from all of it: some sets stand class by class
            count = (_QUICK_ARTICLES if task_set.kind == "answers" else _QUICK_COUNTS)[part]
            examples = examples[:: -(-len(examples) // count)]
        path = folder / f"{name}-{part}.{SUFFIXES[task_set.kind]}"
        path.write_text(_as_text(task_set.kind, examples), encoding="utf-8")
        paths[part] = str(path.resolve())
        counts[part] = num_questions(examples) if task_set.kind == "answers" else len(examples)
    return SetFiles(paths, counts)


def _as_text(kind: Kind, examples: list) -> str:
    if kind == "answers":
        return json.dumps({"version": "1.1", "data": examples}, ensure_ascii=False) + "\n"
    if kind == "tags":
        return "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in examples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples)
