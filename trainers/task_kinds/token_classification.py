"""Labelled spans of a text: entities, chunks, parts of speech."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.answering.answerer import Answerer
from tfplm.data.bad_examples import BadExamples
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.tagged import SETTING, held_out_tagged, load_tagged, load_tagged_examples
from tfplm.data.tagged_configuration import SpansSource, TaggedColumnsSource, TaggedDataConfig, TaggedSource
from tfplm.data.tagged_rows import tagged_rows
from tfplm.data.tagged_sources import tagged_source_paths
from tfplm.data.tagged_text import TaggedExamples
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TokenClassificationConfig
from tfplm.tasks.tag_layout import TagLayout, tag_names
from tfplm.tasks.token_classification import TokenClassifier
from trainers.candidates import cell, table
from trainers.metrics.errors import tagging_errors
from trainers.metrics.tagging import tagging_figures, tagging_intervals
from trainers.task_kinds.task_kind import TaskData, TaskKind, dropped_lines, per_class_lines
from trainers.task_kinds.word_tags import answered_spans, exact_span_f1, word_tags

_BYTES_A_TOKEN = 4.0  # of English with its spaces, and nearly of Chinese
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_WORDS, _RIGHT, _GIVEN, _SPANS = "words", "right_tags", "given_tags", "given_spans"  # what is judged


class TaggingKind(TaskKind):
    """Labelled spans. Judged are words, with the tag of the span over their first character.

    Where every word is a span, the tags are judged one by one; otherwise entities, as seqeval does.
    """

    task_type = "token_classification"
    figure_names = {"micro_f1": "F1", "macro_f1": "macro F1", "accuracy": "accuracy of tags", "span_f1": "F1 of spans"}
    cuts_texts = False
    data: TaggedDataConfig
    task: TokenClassificationConfig

    def load(self, seed: int) -> TaskData:
        data = load_tagged(self.data, seed)
        return TaskData(data.train, data.validation, data.test, tag_names(data.labels), data.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_tagged(self.data, seed)

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in tagged_source_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        return data.train.texts

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return (TEXT,)

    def answer_inputs(self, examples: TaggedExamples) -> dict[str, list]:
        return {TEXT: examples.texts}

    def build_task(self, encoder: Encoder, data: TaskData) -> TokenClassifier:
        return TokenClassifier(encoder, self.task, data.class_names)

    def rows(self, examples: TaggedExamples, answerer: Answerer, is_training: bool) -> ExampleRows:
        bad = BadExamples(self.data.on_bad_example, SETTING)
        labels, length = TagLayout.of(answerer.class_names).labels, answerer.sequence_length
        rows = tagged_rows(
            answerer.tokenizer, examples.examples, labels, length, self.task.stride, self.data.long_texts, bad
        )
        bad.finish()
        lengths = row_lengths(rows.token_ids, answerer.tokenizer.pad_id)
        figures = rows.figures | dict(bad.counts)
        return ExampleRows({names.TOKEN_IDS: rows.token_ids}, rows.classes, rows.weights, lengths, True, figures)

    def row_notes(self, rows: ExampleRows) -> list[str]:
        counts, notes = rows.figures, []
        if counts["long_texts"] and self.data.long_texts == "window":
            notes.append(
                f"{counts['long_texts']:,} training texts are longer than a row: {counts['windows']:,} windows."
            )
        elif counts["long_texts"]:
            notes.append(
                f"{counts['long_texts']:,} training texts are longer than a row and "
                + (f"cut, with {counts['spans_cut']:,} spans." if self.data.long_texts == "cut" else "left out.")
            )
        if counts["spans_in_words"]:
            notes.append(f"{counts['spans_in_words']:,} spans of training texts that are left out cut a word.")
        return notes

    def num_rows(self, data: TaskData, sequence_length: int) -> int:
        characters = np.array([len(text.encode("utf-8", "replace")) for text in data.train.texts])
        windows = np.ceil(characters / _BYTES_A_TOKEN / sequence_length)
        return int(np.maximum(windows, 1).sum())

    def outcomes(self, answers: Mapping[str, np.ndarray], examples: TaggedExamples) -> Mapping[str, np.ndarray]:
        """Objects (examples,): the words of every text, their right and given tags, and the spans given."""
        words, right, given = word_tags(answers, examples)
        return {
            _WORDS: _objects(words),
            _RIGHT: _objects(right),
            _GIVEN: _objects(given),
            _SPANS: _objects(answered_spans(answers)),
        }

    def figures(self, answers: Mapping[str, np.ndarray], examples: TaggedExamples, class_names: Sequence[str]) -> dict:
        figures = tagging_figures(answers[_RIGHT], answers[_GIVEN])
        return figures | {"span_f1": exact_span_f1(answers[_SPANS], examples)}

    def intervals(
        self, answers: Mapping[str, np.ndarray], examples: TaggedExamples, class_names: Sequence[str]
    ) -> dict:
        return tagging_intervals(answers[_RIGHT], answers[_GIVEN])

    def errors(
        self, answers: Mapping[str, np.ndarray], examples: TaggedExamples, class_names: Sequence[str]
    ) -> list[dict]:
        pairs = zip(examples, answers[_WORDS], strict=True)
        shown = [[text.text[slice(*word)] for word in words] for text, words in pairs]
        return tagging_errors(shown, examples.origins, answers[_RIGHT], answers[_GIVEN])

    @classmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        return {"train": {"type": "spans" if _is_json(path) else "columns", "paths": [str(path)]}}

    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> TaggedSource:
        trained_on = self.data.train
        if _is_json(path) != isinstance(trained_on, SpansSource):
            trained_on = SpansSource(paths=["-"]) if _is_json(path) else TaggedColumnsSource(paths=["-"])
        fields = type(trained_on).model_fields
        settings = {"text_column": "word_column", "label_column": "tag_column"}
        if isinstance(trained_on, SpansSource):
            settings = {"text_column": "text_column", "label_column": "spans_column"}
        named = {settings[name]: _column(value) for name, value in columns.items() if settings.get(name) in fields}
        moved = {"paths": [str(path)]} | ({"package": None} if "package" in fields else {})
        return trained_on.model_copy(update=moved | named)

    def read_examples(self, source: TaggedSource, class_names: Sequence[str], dropped: Counter[str]) -> TaggedExamples:
        return load_tagged_examples(source, list(TagLayout.of(class_names).labels), self.data, dropped)

    def data_lines(self, figures: dict) -> list[str]:
        splits = {name: figures[name] for name in ("train", "validation", "test")}
        labels = list(splits["train"]["per_class"])
        rows = [
            [name, counts["examples"], counts["words"] or "–", *(counts["per_class"][label] for label in labels)]
            for name, counts in splits.items()
        ]
        lines = table(["split", "texts", "words", *map(cell, labels)], rows)
        return [*lines, *dropped_lines(figures["dropped"]), *dropped_lines(figures["mended"], "Mended")]

    def detail_lines(self, figures: dict) -> list[str]:
        return per_class_lines(figures["per_class"], "label", "spans")


def _objects(values: Sequence[Any]) -> np.ndarray:
    """Sequences of any lengths as objects (values,)."""
    result = np.empty(len(values), object)
    result[:] = values
    return result


def _is_json(path: Path) -> bool:
    return any(suffix in _JSON_SUFFIXES for suffix in path.suffixes)


def _column(value: str) -> int | str:
    """A column as it is named on the command line: a number or a name."""
    return int(value) if value.lstrip("-").isdecimal() else value
