"""The training step: equal losses under every strategy, with XLA and without, in one piece and in micro-batches."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.command_line import ENVIRONMENT, ROOT
from tests.trainers.local_cluster import tf_configs


def start(*strategies: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.trainers.loss_curves", *strategies]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT | environment, text=True, **pipes)


def curves_of(process: subprocess.Popen) -> dict[str, list[float]]:
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def curves():
    local = start("one_device", "mirrored")
    workers = [start("multi_worker", TF_CONFIG=config) for config in tf_configs(2)]
    first, second = (curves_of(worker) for worker in workers)
    assert first == second
    return curves_of(local) | first


@pytest.mark.parametrize(("family", "num_ways"), [("bert", 4), ("lstm", 2), ("gpt", 4), ("t5", 2), ("lstm_seq2seq", 2)])
def test_the_loss_curve_is_equal_over_strategies_xla_and_micro_batches(curves, family, num_ways):
    of_family = {key: curve for key, curve in curves.items() if key.split()[0] == family}
    assert len(of_family) == 3 * num_ways
    expected = of_family[f"{family} one_device jit=False accumulation_steps=1"]
    assert expected[-2] < 0.98 * expected[0]  # it learns, so that the gradients count
    for key, curve in of_family.items():
        np.testing.assert_allclose(curve, expected, rtol=1e-5, err_msg=key)
    assert len({json.dumps(curve) for curve in of_family.values()}) > 1  # they are not one and the same computation
