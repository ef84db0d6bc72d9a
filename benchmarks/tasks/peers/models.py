"""What the peers of all kinds of tasks share: the model, its tokenizer, where they lie, and the training loop.

The loop is that of the library's example scripts: AdamW without decay on biases and norms, a linear schedule with
warm-up, clipping by the global norm, each batch padded to its longest example.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertTokenizerFast,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    get_linear_schedule_with_warmup,
    set_seed,
)

from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.sets import Recipe

EVALUATION_BATCH = 64


def begin(assignment: Assignment) -> float:
    """Fixes threads and random numbers; returns the time at which the training began."""
    torch.set_num_threads(assignment.threads)
    set_seed(assignment.seed)
    return time.perf_counter()


def load_tokenizer(assignment: Assignment) -> PreTrainedTokenizerBase:
    """The checkpoint's, or one of the vocabulary for models from scratch."""
    if assignment.start == "checkpoint":
        return AutoTokenizer.from_pretrained(assignment.checkpoint)
    return BertTokenizerFast(str(Path(assignment.vocabulary) / "tokenizer/vocab.txt"), do_lower_case=True)


def build_model(assignment: Assignment, auto_class: type, vocabulary_size: int, **head: Any) -> PreTrainedModel:
    """The checkpoint, or a new BERT, under a new head.

    Args:
        assignment: which of them.
        auto_class: of the task, AutoModelFor….
        vocabulary_size: of a new one.
        **head: settings of the head, as the configuration has them.
    """
    if assignment.start == "checkpoint":
        return auto_class.from_pretrained(assignment.checkpoint, **head)
    sizes = assignment.sizes
    config = BertConfig(
        vocab_size=vocabulary_size,
        num_hidden_layers=sizes["num_layers"],
        num_attention_heads=sizes["num_heads"],
        hidden_size=sizes["hidden_dim"],
        intermediate_size=sizes["intermediate_dim"],
        max_position_embeddings=assignment.recipe.sequence_length,
        **head,
    )
    return auto_class.from_config(config)


def model_folder(assignment: Assignment) -> Path:
    return Path(assignment.folder) / "model"


def fit(model: PreTrainedModel, examples: Sequence[dict], collate: Callable, recipe: Recipe, seed: int) -> int:
    """Trains; returns the number of steps.

    Args:
        model: with a loss.
        examples: encoded, not padded.
        collate: makes a padded batch of some of them.
        recipe: how.
        seed: of the order.
    """
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(examples, recipe.batch_size, shuffle=True, collate_fn=collate, generator=order)
    num_steps = recipe.epochs * len(batches)
    optimizer = torch.optim.AdamW(_with_decay(model, recipe), recipe.learning_rate, eps=recipe.epsilon, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, round(recipe.warmup_fraction * num_steps), num_steps)
    model.train()
    for _ in range(recipe.epochs):
        for batch in batches:
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
    return num_steps


def _with_decay(model: PreTrainedModel, recipe: Recipe) -> list[dict]:
    """Matrices are decayed; biases and the norms' scales, which are vectors, are not."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]


def finish(
    assignment: Assignment, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, steps: int, began: float
) -> dict[str, Any]:
    """Writes model and tokenizer; returns the figures of the training."""
    model.save_pretrained(model_folder(assignment))
    tokenizer.save_pretrained(model_folder(assignment))
    return {"seconds": time.perf_counter() - began, "steps": steps, "parameters": model.num_parameters()}


@torch.inference_mode()
def outputs_of(model: PreTrainedModel, examples: Sequence[dict], collate: Callable) -> list[Any]:
    """What the model gives for batches of the examples, in order."""
    model.eval()
    return [model(**batch) for batch in DataLoader(examples, EVALUATION_BATCH, collate_fn=collate)]
