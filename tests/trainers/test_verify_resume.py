import json
import random
import signal

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.command_line import TINY_BERT, WORDS, prepare_config, sentence, tfplm, write_yaml
from tfplm.run_directory import RunDirectory
from trainers.run_difference import compare_runs
from trainers.verify_resume import Kill, Verification, plan_kills


def write_run(folder, weight=1.0, momentum=1.0, loss=2.0, seconds=1.0):
    (folder / "model").mkdir(parents=True)
    with h5py.File(folder / "model/model.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.array([[weight, 2.0]], np.float32)
        file["optimizer/vars/0"] = 3
    (folder / "checkpoints/step-00000004").mkdir(parents=True)
    save_file({"optimizer/0000": np.array([momentum])}, folder / "checkpoints/step-00000004/state.safetensors")
    history = [{"step": 4, "loss": loss, "tokens_per_second": seconds}]
    RunDirectory(folder).write_report("pretrain", "mark", {"seconds": seconds, "history": history})
    return folder


def test_equal_runs_are_equal_however_long_they_took(tmp_path):
    outcome = compare_runs(write_run(tmp_path / "a"), write_run(tmp_path / "b", seconds=9.0))
    assert outcome.differences == []
    assert (outcome.weights, outcome.state) == (2, 2)  # the state counts the step's own name
    assert outcome.figures > 5


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            {"weight": np.nextafter(np.float32(1), np.float32(2))},
            "weights: model.weights.h5/layers/dense/vars/0 differs",
        ),
        ({"weight": float("nan")}, "weights: model.weights.h5/layers/dense/vars/0 differs"),
        ({"momentum": np.nextafter(1.0, 2.0)}, "checkpoint: optimizer/0000 differs by up to 2.22e-16"),
        ({"loss": np.nextafter(2.0, 3.0)}, "report: history[0].loss is 2.0 and 2.0000000000000004"),
    ],
)
def test_a_single_bit_is_a_difference(tmp_path, change, difference):
    (found,) = compare_runs(write_run(tmp_path / "a"), write_run(tmp_path / "b", **change)).differences
    assert found.startswith(difference)


def test_what_only_one_run_has_is_a_difference(tmp_path):
    left, right = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    (right / "checkpoints/step-00000004").rename(right / "checkpoints/step-00000006")
    assert compare_runs(left, right).differences == ["checkpoint: step is step-00000004 and step-00000006"]
    (right / "model/model.weights.h5").unlink()
    assert any("weights" in difference for difference in compare_runs(left, right).differences)


def test_kills_cover_start_steps_checkpoints_and_end_in_order():
    plan = plan_kills(20, random.Random(0))
    assert all(0.0 < kill.share < 1.0 for kill in plan[1:-1])
    moments = [kill.moment for kill in plan]
    assert (moments[0], moments[-1]) == ("start", "end")
    assert moments.count("step") == moments.count("checkpoint") == 9
    assert {kill.sign for kill in plan} == {signal.SIGKILL}
    assert {kill.sign for kill in plan_kills(20, random.Random(0), with_sigterm=True)} == {
        signal.SIGKILL,
        signal.SIGTERM,
    }
    assert plan_kills(20, random.Random(0)) == plan != plan_kills(20, random.Random(1))


def test_kills_are_spread_evenly_over_the_steps():
    ends = []
    for seed in range(200):
        done = 0.0
        for kill in plan_kills(3, random.Random(seed)):
            done += kill.share * (1.0 - done)
            ends.append(done)
    assert np.mean(ends) == pytest.approx(0.5, abs=0.05)


def test_the_table_says_where_each_kill_came_and_what_was_compared():
    outcome = Verification("pretrain", 40, kills=[Kill(1, "SIGKILL", "between or in steps", 13, resumed_from=10)])
    lines = outcome.table().splitlines()
    assert lines[1].split() == ["1", "SIGKILL", "between", "or", "in", "steps", "13", "10"]
    assert "none was kept" in outcome.table()
    assert lines[-1] == "PASS: 1 kills, 40 steps, bit-identical to the unbroken run."
    outcome.compared.differences.append("weights: x differs")
    assert outcome.table().splitlines()[-1].startswith("FAIL")


def test_pretraining_that_is_killed_twice_ends_as_if_it_had_never_been(tmp_path):
    chance = random.Random(0)
    lines = [sentence(chance.choice(list(WORDS)), chance) for _ in range(500)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    pretrain = {
        "model": TINY_BERT,
        "sequence_length": 32,
        "batch_size": 4,
        "steps": 200,
        "log_every": 10,
        "checkpoint_every": 10,
    }
    write_yaml(tmp_path / "x.yaml", prepare_config() | {"pretrain": pretrain})
    answer = tfplm(tmp_path, "verify-resume", "x.yaml", "--kills", "2", "--with-sigterm")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "PASS: 2 kills, 200 steps, bit-identical to the unbroken run."
    record = json.loads((tmp_path / "out/verify-resume-pretrain.json").read_text(encoding="utf-8"))
    assert [kill["sign"] for kill in record["kills"]] == ["SIGTERM", "SIGKILL"]
    assert all(0 <= kill["resumed_from"] <= kill["step"] for kill in record["kills"])
    assert record["compared"]["weights"] > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "out", "x.yaml"]
