"""Judging a fine-tuned run, or what was exported of it, on data that it has not learned from."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfplm.config import Config
from tfplm.errors import UserError
from trainers.answers import AnswerSource, open_answers
from trainers.evaluation import Evaluation
from trainers.evaluation_report import drops, write_evaluation
from trainers.task_kinds.registry import kind_of_values


def evaluate_run(
    path: str | Path,
    data: Config | str | Path | Sequence[str | Path],
    out: Path | None = None,
    columns: Mapping[str, str] | None = None,
    slice_columns: Sequence[str] = (),
) -> dict:
    """Figures of a run or an export on examples.

    ``intervals`` are bootstrap intervals at 95 %, ``slices`` figures by length and by columns, and ``left_out`` counts
    by reason the texts that are no examples.

    Args:
        path: a fine-tuned or imported run, the folder of a SavedModel or of TFLite files, or one of those files.
        data: a source as in ``finetune.data``, a file that is read as the training data was, or several files.
        out: a folder for evaluation.json, report.md with the worst errors, pictures, and events for TensorBoard.
        columns: by setting, the columns of the files that are called otherwise than in the training data.
        slice_columns: of the files, by whose values the examples are grouped.

    Returns:
        The figures; of several files ``data``, their figures by file, and ``drops``, the points of the first figure
        that each loses beside the test split of the training data, or where that is not known beside the first file.

    Raises:
        UserError: the run is incomplete, or the data unreadable or with labels that the run does not know.
    """
    model = open_answers(path)
    files = [data] if isinstance(data, str | Path | Config) else list(data)
    evaluations = [_evaluate(model, file, columns or {}, slice_columns) for file in files]
    names = Counter(evaluation.name for evaluation in evaluations)
    if max(names.values()) > 1:
        raise UserError(f"{names.most_common(1)[0][0]} is given twice.", "Expected different files.")
    own = _own_figures(Path(path))
    lost = drops(evaluations, own)
    if len(evaluations) == 1:
        record = evaluations[0].record() | ({"drop": next(iter(lost.values()))} if lost else {})
    else:
        record = {"data": {evaluation.name: evaluation.record() for evaluation in evaluations}, "drops": lost}
    if out is not None:
        write_evaluation(Path(out), evaluations, record, own)
    return record


def _evaluate(
    model: AnswerSource, data: Config | str | Path, columns: Mapping[str, str], slice_columns: Sequence[str]
) -> Evaluation:
    is_file = isinstance(data, str | Path)
    file = Path(data) if is_file else Path(getattr(data, "paths", ["data"])[0])
    kind = kind_of_values(model.task, model.data, file, str(model.path))
    source = kind.evaluation_source(file, columns) if is_file else data
    if slice_columns:
        if "keep_columns" not in type(source).model_fields:
            raise UserError(f"{file} has no columns to group by: it is read as {source.type}.", remedy="Leave it out.")
        source = source.model_copy(update={"keep_columns": list(slice_columns)})
    class_names = model.answerer.class_names
    left_out: Counter[str] = Counter()
    examples = kind.read_examples(source, class_names, left_out)
    texts = kind.answer_inputs(examples)
    answers = model.asked_for(tuple(texts)).answer(texts)
    return Evaluation(file.name, kind, answers, examples, class_names, left_out)


def _own_figures(path: Path) -> dict | None:
    """The figures of a run on the test split of its own data, where its report has them."""
    try:
        report = json.loads((path / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report.get("test") if report.get("stage") == "finetune" else None
