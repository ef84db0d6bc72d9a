"""One label for a text or a pair of texts, by transformers."""

from typing import Any

from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

from benchmarks.tasks.assignment import Assignment, read_json_lines
from benchmarks.tasks.peers.models import begin, build_model, finish, fit, load_tokenizer, model_folder, outputs_of


def train(assignment: Assignment) -> dict[str, Any]:
    """Trains, and writes the model; returns its figures."""
    began = begin(assignment)
    rows = read_json_lines(assignment.train)
    labels = sorted({row["label"] for row in rows})
    tokenizer = load_tokenizer(assignment)
    model = build_model(
        assignment,
        AutoModelForSequenceClassification,
        len(tokenizer),
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    examples = [
        encoded | {"labels": labels.index(row["label"])}
        for encoded, row in zip(_encode(tokenizer, rows, assignment), rows, strict=True)
    ]
    steps = fit(model, examples, DataCollatorWithPadding(tokenizer), assignment.recipe, assignment.seed)
    return finish(assignment, model, tokenizer, steps, began)


def answer(assignment: Assignment) -> list[dict]:
    """The label of every row of the test file."""
    begin(assignment)
    tokenizer = AutoTokenizer.from_pretrained(model_folder(assignment))
    model = AutoModelForSequenceClassification.from_pretrained(model_folder(assignment))
    examples = _encode(tokenizer, read_json_lines(assignment.test), assignment)
    outputs = outputs_of(model, examples, DataCollatorWithPadding(tokenizer))
    chosen = [index for output in outputs for index in output.logits.argmax(-1).tolist()]
    return [{"label": model.config.id2label[index]} for index in chosen]


def _encode(tokenizer: PreTrainedTokenizerBase, rows: list[dict], assignment: Assignment) -> list[dict]:
    texts = [[row[column] for row in rows] for column in ("text", "text_pair") if column in rows[0]]
    encoded = tokenizer(*texts, truncation=True, max_length=assignment.recipe.sequence_length)
    return [{name: values[index] for name, values in encoded.items()} for index in range(len(rows))]
