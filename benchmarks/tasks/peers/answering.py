"""Answers that stand in a passage, by transformers: windows with stride, the best span of all windows."""

from collections import defaultdict
from typing import Any

import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    BatchEncoding,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

from benchmarks.tasks.assignment import Assignment, read_questions
from benchmarks.tasks.peers.models import begin, build_model, finish, fit, load_tokenizer, model_folder, outputs_of

_CANDIDATES = 20  # starts and ends of a window that are tried
_PASSAGE = 1  # number of the text that the answers stand in


def train(assignment: Assignment) -> dict[str, Any]:
    """Trains, and writes the model; returns its figures."""
    began = begin(assignment)
    questions = read_questions(assignment.train)
    tokenizer = load_tokenizer(assignment)
    model = build_model(assignment, AutoModelForQuestionAnswering, len(tokenizer))
    encoded, owners = _encode(tokenizer, questions, assignment)
    examples = []
    for window, owner in enumerate(owners):
        start, end = _answer_tokens(encoded, window, questions[owner]["answers"][0])
        examples.append(_example(encoded, window) | {"start_positions": start, "end_positions": end})
    collate = DataCollatorWithPadding(tokenizer)
    return finish(
        assignment, model, tokenizer, fit(model, examples, collate, assignment.recipe, assignment.seed), began
    )


def answer(assignment: Assignment) -> list[dict]:
    """The best span of the passage for every question of the test file."""
    begin(assignment)
    tokenizer = AutoTokenizer.from_pretrained(model_folder(assignment))
    model = AutoModelForQuestionAnswering.from_pretrained(model_folder(assignment))
    questions = read_questions(assignment.test)
    encoded, owners = _encode(tokenizer, questions, assignment)
    examples = [_example(encoded, window) for window in range(len(owners))]
    outputs = outputs_of(model, examples, DataCollatorWithPadding(tokenizer))
    starts, ends = ([row for o in outputs for row in getattr(o, name)] for name in ("start_logits", "end_logits"))
    spans = defaultdict(list)  # by question: score, first and last character of the best span of each window
    for window, owner in enumerate(owners):
        passage = [place == _PASSAGE for place in encoded.sequence_ids(window)]
        span = best_span(starts[window], ends[window], passage, assignment.recipe.max_answer_length)
        if span is not None:
            score, first, last = span
            offsets = encoded["offset_mapping"][window]
            spans[owner].append((score, offsets[first][0], offsets[last][1]))
    answers = []
    for owner, question in enumerate(questions):
        _, begin_at, end_at = max(spans[owner], default=(0.0, 0, 0))
        answers.append({"id": question["id"], "text": question["context"][begin_at:end_at]})
    return answers


def best_span(
    starts: torch.Tensor, ends: torch.Tensor, passage: list[bool], max_length: int
) -> tuple[float, int, int] | None:
    """The span of the passage with the highest sum of its logits.

    Args:
        starts: logits (tokens or more,) of the first token.
        ends: logits of the last one.
        passage: (tokens,) whether a token is of the passage.
        max_length: of the span, in tokens.

    Returns:
        Its score, first and last token; None where the best starts and ends make none.
    """
    inside = torch.tensor(passage)
    starts, ends = (logits[: len(passage)].masked_fill(~inside, -torch.inf) for logits in (starts, ends))
    count = min(_CANDIDATES, int(inside.sum()))
    best_starts, best_ends = starts.topk(count), ends.topk(count)
    scores = best_starts.values[:, None] + best_ends.values[None, :]  # (starts, ends)
    lengths = best_ends.indices[None, :] - best_starts.indices[:, None] + 1
    scores = scores.masked_fill((lengths < 1) | (lengths > max_length), -torch.inf)
    if not count or scores.max() == -torch.inf:
        return None
    start, end = divmod(int(scores.argmax()), count)
    return float(scores[start, end]), int(best_starts.indices[start]), int(best_ends.indices[end])


def _encode(
    tokenizer: PreTrainedTokenizerBase, questions: list[dict], assignment: Assignment
) -> tuple[BatchEncoding, list[int]]:
    """Windows of question and passage, and the number of each window's question."""
    encoded = tokenizer(
        [question["question"].strip() for question in questions],
        [question["context"] for question in questions],
        truncation="only_second",
        max_length=assignment.recipe.sequence_length,
        stride=assignment.recipe.overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    return encoded, encoded["overflow_to_sample_mapping"]


def _example(encoded: BatchEncoding, window: int) -> dict[str, list[int]]:
    return {name: encoded[name][window] for name in ("input_ids", "token_type_ids", "attention_mask")}


def _answer_tokens(encoded: BatchEncoding, window: int, answer: dict) -> tuple[int, int]:
    """First and last token of the answer; the first token of all, twice, where the window does not hold it whole."""
    first, last = answer["answer_start"], answer["answer_start"] + len(answer["text"]) - 1
    places, offsets = encoded.sequence_ids(window), encoded["offset_mapping"][window]
    inside = [index for index, place in enumerate(places) if place == _PASSAGE]
    if not inside or first < offsets[inside[0]][0] or last >= offsets[inside[-1]][1]:
        return 0, 0
    start = next(index for index in inside if offsets[index][1] > first)
    end = next(index for index in reversed(inside) if offsets[index][0] <= last)
    return start, end
