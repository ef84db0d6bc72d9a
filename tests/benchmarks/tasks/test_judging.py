import json

import pytest

from benchmarks.tasks.judging import figures_of
from benchmarks.tasks.sets import SETS


def test_labels_are_judged_by_accuracy_and_macro_f1(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps({"text": "…", "label": label}) + "\n" for label in "AAAB"), encoding="utf-8")
    figures = figures_of(SETS["trec"], str(path), [{"label": label} for label in "AABB"])
    assert figures == pytest.approx({"accuracy": 0.75, "macro F1": (0.8 + 2 / 3) / 2})


def test_tags_are_judged_by_whole_chunks(tmp_path):
    path = tmp_path / "test.conll"
    path.write_text("Ann\tB-person\nOak\tI-person\nsang\tO\n\nRome\tB-location\n", encoding="utf-8")
    answers = [{"tags": ["B-person", "O", "O"]}, {"tags": ["B-location"]}]
    figures = figures_of(SETS["wnut17"], str(path), answers)
    assert figures == {"F1": 0.5, "precision": 0.5, "recall": 0.5}
