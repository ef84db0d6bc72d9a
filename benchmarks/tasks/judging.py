"""The figures of answers, by the same functions for every contender."""

from benchmarks.tasks.assignment import read_columns, read_json_lines, read_questions
from benchmarks.tasks.sets import TaskSet


def figures_of(task_set: TaskSet, test: str, answers: list[dict]) -> dict[str, float]:
    """The figures of `METRICS`, in [0, 1].

    Args:
        task_set: says by which metrics.
        test: the file that was answered.
        answers: in its order.
    """
    if task_set.kind in ("text", "pair"):
        return _label_figures([row["label"] for row in read_json_lines(test)], [row["label"] for row in answers])
    if task_set.kind == "tags":
        expected = [[tag for _, tag in sentence] for sentence in read_columns(test)]
        return _chunk_figures(expected, [row["tags"] for row in answers])
    return _answer_figures(read_questions(test), [row["text"] for row in answers], task_set.is_chinese)


def _label_figures(expected: list[str], given: list[str]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score

    macro_f1 = f1_score(expected, given, average="macro", zero_division=0)
    return {"accuracy": float(accuracy_score(expected, given)), "macro F1": float(macro_f1)}


def _chunk_figures(expected: list[list[str]], given: list[list[str]]) -> dict[str, float]:
    """Of whole chunks, as conlleval counts them."""
    from seqeval.metrics import f1_score, precision_score, recall_score

    functions = {"F1": f1_score, "precision": precision_score, "recall": recall_score}
    return {name: float(function(expected, given, zero_division=0)) for name, function in functions.items()}


def _answer_figures(questions: list[dict], given: list[str], is_chinese: bool) -> dict[str, float]:
    from trainers.metrics.question_answering import question_answering_figures

    references = [[answer["text"] for answer in question["answers"]] for question in questions]
    figures = question_answering_figures(given, references, "cmrc" if is_chinese else "squad")
    return {"F1": figures["f1"] / 100, "exact match": figures["exact_match"] / 100}
