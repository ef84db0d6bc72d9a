import json
import subprocess
import sys

from tests.command_line import ENVIRONMENT, ROOT


def test_models_and_tasks_train_on_a_machine_with_jax_and_without_tensorflow():
    command = [sys.executable, "-m", "tests.jax_alone"]
    answer = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stderr
    curves = json.loads(answer.stdout.splitlines()[-1])
    assert sorted(curves) == ["bert", "gpt"]
    for losses in curves.values():
        assert losses[-1] < 0.85 * losses[0]
