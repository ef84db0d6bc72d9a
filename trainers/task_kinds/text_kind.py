"""What tasks share that say something of a text or a pair of texts."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tfplm.answering.answer_names import TEXT, TEXT_PAIR
from tfplm.data.configuration import Source, TextDataConfig
from tfplm.data.sources import source_paths
from tfplm.data.text_examples import TextExamples
from trainers.task_kinds.table_source import table_source
from trainers.task_kinds.task_kind import TaskData, TaskKind


class TextKind(TaskKind):
    """A task of texts or pairs, whose data is read from tables.

    Attributes:
        target_column: what a column of targets is called where nothing says so.
    """

    target_column: ClassVar[str]
    data: TextDataConfig

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in source_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        return [text for column in self.answer_inputs(data.train).values() for text in column]

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return tuple(self.answer_inputs(data.train))

    def answer_inputs(self, examples: TextExamples) -> dict[str, list]:
        columns = {TEXT: examples.texts}
        return columns if examples.text_pairs is None else columns | {TEXT_PAIR: examples.text_pairs}

    @classmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        return {"train": {"type": "table", "paths": [str(path)], "label_column": cls.target_column}}

    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> Source:
        return table_source(self.data.train, path, columns)
