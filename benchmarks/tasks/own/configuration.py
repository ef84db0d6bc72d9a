"""The configuration file that tfplm is given for an assignment."""

from typing import Any

from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.sets import Recipe

CANDIDATE = "model"
_VOCABULARY_SEED = 0  # all seeds of a training from scratch share one vocabulary


def experiment(assignment: Assignment, output_dir: str) -> dict[str, Any]:
    """The whole file. Nothing is held out to validate or test on: what is timed is the training alone."""
    recipe = assignment.recipe
    return {
        "output_dir": output_dir,
        "seed": _VOCABULARY_SEED,
        "runtime": {"num_threads": assignment.threads},
        "tokenizer": {"vocabulary_size": assignment.vocabulary_size, "normalization": "bert"},
        "finetune": {
            **_task(assignment),
            "candidates": {CANDIDATE: _origin(assignment) | {"epochs": recipe.epochs, "optimizer": _optimizer(recipe)}},
            "seeds": [assignment.seed],
            "sequence_length": recipe.sequence_length,
            **_batches(recipe),
        },
    }


def _task(assignment: Assignment) -> dict[str, Any]:
    source: dict[str, Any] = {"paths": [assignment.train]}
    if assignment.kind == "answers":
        recipe = assignment.recipe
        limits = {"stride": recipe.stride, "max_answer_length": recipe.max_answer_length}
        task = {"type": "question_answering", **limits}
    elif assignment.kind == "tags":
        task = {"type": "token_classification"}
        source |= {"type": "columns", "separator": "tab", "scheme": "iob2", "joiner": " "}
    else:
        task = {"type": "text_classification", "pooling": "encoder"}
        source |= {"type": "table", "text_column": "text", "label_column": "label"}
    if assignment.kind == "pair":
        source["text_pair_column"] = "text_pair"
    data = {"train": source, "split": {"validation": 0.0, "test": 0.0}, "drop_repeats": False}
    return {"task": task, "data": data}


def _origin(assignment: Assignment) -> dict[str, Any]:
    if assignment.start == "checkpoint":
        return {"initialize_from": assignment.imported}
    length = assignment.recipe.sequence_length
    return {"model": {"type": "bert", **assignment.sizes, "max_sequence_length": length}}


def _optimizer(recipe: Recipe) -> dict[str, Any]:
    return {
        "learning_rate": recipe.learning_rate,
        "warmup_fraction": recipe.warmup_fraction,
        "weight_decay": recipe.weight_decay,
        "epsilon": recipe.epsilon,
        "global_clipnorm": recipe.clip_norm,
    }


def _batches(recipe: Recipe) -> dict[str, Any]:
    if recipe.packed_rows is None:
        return {"batch_size": recipe.batch_size}
    return {"packing": True, "batch_size": recipe.packed_rows}
