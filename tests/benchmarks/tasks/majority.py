"""A contender that always gives the label which it saw most often; one that fails."""

import json
from collections import Counter
from pathlib import Path

from benchmarks.tasks.assignment import Assignment, read_json_lines


def train(assignment: Assignment) -> dict:
    if assignment.seed == 13:
        raise RuntimeError("this seed brings bad luck")
    model = Path(assignment.folder) / "model"
    model.mkdir()
    (label, _), *_ = Counter(row["label"] for row in read_json_lines(assignment.train)).most_common(1)
    (model / "label.json").write_text(json.dumps(label), encoding="utf-8")
    return {"seconds": 0.5, "steps": 1, "parameters": 0}


def answer(assignment: Assignment) -> list[dict]:
    label = json.loads((Path(assignment.folder) / "model/label.json").read_text(encoding="utf-8"))
    return [{"label": label} for _ in read_json_lines(assignment.test)]
