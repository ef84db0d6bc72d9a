"""Judging a fine-tuned run, or what was exported of it, on a labelled file."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tfplm.config import Config
from tfplm.run_directory import write_text
from trainers.answers import open_answers
from trainers.task_kinds.registry import kind_of_values


def evaluate_run(
    path: str | Path, data: Config | str | Path, out: Path | None = None, columns: Mapping[str, str] | None = None
) -> dict:
    """Figures of a run or an export on the examples of ``data``; also written to ``out``/evaluation.json.

    ``left_out`` counts by reason the texts that are no examples: those without text or label, or that are too short.

    Args:
        path: a fine-tuned or imported run, the folder of a SavedModel or of TFLite files, or one of those files.
        data: a source as in ``finetune.data``, or a file that is read as the training data was.
        out: a folder.
        columns: by setting, the columns of the file that are called otherwise than in the training data.

    Raises:
        UserError: the run is incomplete, or the data unreadable or with labels that the run does not know.
    """
    model = open_answers(path)
    is_file = isinstance(data, str | Path)
    evaluated = Path(data) if is_file else Path(getattr(data, "paths", ["data"])[0])
    kind = kind_of_values(model.task, model.data, evaluated, str(model.path))
    source = kind.evaluation_source(Path(data), columns or {}) if is_file else data
    class_names = model.answerer.class_names
    dropped: Counter[str] = Counter()
    examples = kind.read_examples(source, class_names, dropped)
    answers = model.answer(kind.answer_inputs(examples))
    figures = kind.figures(answers, examples, class_names) | {"left_out": dict(dropped)}
    if out is not None:
        write_text(Path(out) / "evaluation.json", json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return figures
