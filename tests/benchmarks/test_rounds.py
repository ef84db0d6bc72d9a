import math
from dataclasses import replace
from importlib.util import find_spec

import pytest

from benchmarks.contender import Contender
from benchmarks.rounds import NOT_INSTALLED, Rounds, measure_group
from benchmarks.statistics import figures
from benchmarks.subjects import FULL, SUBJECTS, chosen
from benchmarks.workload import BertWorkload

ONE_THREAD = Rounds(count=3, seconds=0.0, threads=1, limit=120.0)
TINY = BertWorkload(
    num_layers=1,
    num_heads=2,
    hidden_dim=16,
    intermediate_dim=32,
    vocabulary_size=64,
    sequence_length=8,
    batch_size=2,
    num_predictions=2,
)


def test_train_step_is_measured_beside_the_ceiling():
    groups = SUBJECTS["train_step"].groups(replace(FULL, bert=TINY, matrix=32), "")
    without_jit = [c for c in chosen(groups, ["tfplm", "matrix"])["float32"] if c.setting in ("", "TensorFlow")]
    said = []
    rows = measure_group(without_jit, ONE_THREAD, said.append)
    assert [(row.problem, len(row.rates)) for row in rows] == [(None, 3), (None, 3)], said
    assert all(math.isfinite(rate) and rate > 0 for row in rows for rate in row.rates)
    assert figures(rows)[0]["times_reference"] > 0
    assert rows[0].facts["parameters"] > TINY.vocabulary_size * TINY.hidden_dim
    assert said[-1] == "round 3 of 3 done"


def test_contender_that_is_missing_or_fails_has_a_row_that_says_so():
    missing = Contender("missing", "peer", "benchmarks.startup.command", requires=("no_such_package",))
    failing = Contender("failing", "peer", "benchmarks.no_such_module")
    working = Contender(
        "working",
        "tfplm",
        "benchmarks.startup.command",
        options={"command": ["python", "-c", "print('not an answer')"]},
    )
    rows = measure_group([missing, failing, working], ONE_THREAD, lambda text: None)
    assert rows[0].problem == NOT_INSTALLED
    assert "No module named 'benchmarks.no_such_module'" in rows[1].problem
    assert rows[2].problem is None
    assert len(rows[2].rates) == 3


def test_contender_that_does_not_answer_is_given_up():
    sleeper = Contender(
        "sleeper",
        "peer",
        "benchmarks.startup.command",
        options={"command": ["python", "-c", "import time; time.sleep(60)"]},
    )
    (row,) = measure_group([sleeper], replace(ONE_THREAD, limit=1.0), lambda text: None)
    assert row.problem.startswith("failed: ")
    assert row.rates == []


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_subject_measures_tfplm_and_names_modules_that_exist(name):
    groups = SUBJECTS[name].groups(FULL, "scratch")
    contenders = [contender for group in groups.values() for contender in group]
    assert name == "ceiling" or {"tfplm", "peer"} <= {contender.role for contender in contenders}
    assert all(find_spec(contender.module) for contender in contenders)
