import json
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from tests.command_line import (
    TINY_BERT,
    TINY_LSTM,
    assert_told_cleanly,
    finetune_config,
    prepare_config,
    tfplm,
    write_table,
    write_yaml,
)
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.objectives import SpanCorruptionConfig, span_lengths
from tfplm.run_directory import RunDirectory
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig
from tfplm.training_configuration import RuntimeConfig
from trainers.diagnosis import Diagnosis
from trainers.doctor import diagnose
from trainers.doctor_report import plain_text
from trainers.downgrades import silent_downgrades
from trainers.machine import Machine, place

TINY_GPT = TINY_BERT | {"type": "gpt", "max_sequence_length": 64}
TINY_T5 = TINY_GPT | {"type": "t5", "head_dim": 8}

CPU = Machine("CPU", "AMD EPYC", 1, 2, 8 * 10**9, None, True, False, True)
AMPERE = replace(CPU, kind="GPU", name="NVIDIA A100-SXM4-80GB", num_devices=4, compute_capability=(8, 0))
TURING = replace(AMPERE, name="Tesla T4", num_devices=1, compute_capability=(7, 5), has_bfloat16=False)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    before = keras.mixed_precision.dtype_policy()
    yield
    keras.mixed_precision.set_dtype_policy(before)


def pretrain_config(text: str = "an apple and a pear. " * 2000, **pretrain) -> dict:
    Path("corpus.txt").write_text(text, encoding="utf-8")
    settings = {"model": TINY_BERT, "sequence_length": 32, "batch_size": 8, "steps": 50} | pretrain
    return prepare_config() | {"pretrain": settings}


def doctor(values: dict, machine: Machine | None = None, calibrate: bool = False) -> Diagnosis:
    return diagnose(validate(ExperimentConfig, values, "test"), calibrate, machine)


def said(diagnosis: Diagnosis, level: str | None = None) -> str:
    return "\n".join(f.message for f in diagnosis.findings if level in (None, f.level))


# Estimates.


def test_every_stage_is_estimated_and_nothing_is_written():
    write_table(Path("train.csv"), rows=90)
    values = finetune_config() | pretrain_config()
    values["finetune"]["seeds"] = [0, 1]
    values["finetune"]["candidates"]["pretrained"] = {"initialize_from": "pretrain", "epochs": 2}
    before = sorted(Path().rglob("*"))
    diagnosis = doctor(values)
    assert sorted(Path().rglob("*")) == before
    stages = {stage.name: stage for stage in diagnosis.stages}
    assert list(stages) == ["pretrain", "finetune.lstm", "finetune.pretrained"]
    assert stages["pretrain"].tokens == 50 * 8 * 32
    assert stages["finetune.lstm"].steps == 4  # of 63 training examples, 16 a step
    assert stages["finetune.pretrained"].steps == 8
    assert stages["finetune.lstm"].num_runs == 2
    assert diagnosis.would_run


def test_time_is_calibrated_on_this_machine():
    (stage,) = doctor(pretrain_config(), calibrate=True).stages
    assert 1e-6 < stage.seconds_per_step < 10
    assert stage.tokens_per_second == pytest.approx(8 * 32 / stage.seconds_per_step)
    assert stage.hours == pytest.approx(50 * stage.seconds_per_step / 3600)


def test_replicas_share_the_batch():
    values = pretrain_config() | {"runtime": {"jit_compile": True}}
    alone, shared = doctor(values, replace(AMPERE, num_devices=1)), doctor(values, AMPERE)
    assert (alone.placement.strategy, shared.placement.strategy) == ("one_device", "mirrored")
    assert shared.placement.num_replicas == 4
    assert 4 * shared.stages[0].memory.activations == pytest.approx(alone.stages[0].memory.activations)
    assert place(RuntimeConfig(strategy="one_device"), AMPERE).num_replicas == 1
    assert place(RuntimeConfig(logical_cpus=2), CPU).share_cpu


def test_tokens_are_counted_in_a_finished_corpus_and_estimated_without():
    values = pretrain_config(text="x" * 4500)
    assert doctor(values).stages[0].data_tokens == 1000
    Path("out/corpus").mkdir(parents=True)
    report = {"format_version": 1, "stage": "prepare", "tokens": 5000, "validation_tokens": 1000}
    Path("out/corpus/report.json").write_text(json.dumps(report), encoding="utf-8")
    assert doctor(values).stages[0].data_tokens == 4000


def test_report_is_the_same_for_people_and_machines():
    diagnosis = doctor(pretrain_config(), calibrate=True)
    text, record = plain_text(diagnosis), json.loads(json.dumps(diagnosis.record()))
    stage = record["stages"][0]
    assert f"{stage['parameters']:,}" in text
    assert f"{stage['memory']['total'] / 1e6:.3g} MB" in text
    assert all(finding["message"] in text for finding in record["findings"])
    assert "estimates" in text


def write_pairs(path: Path, rows: int, source: str = "an apple", target: str = "a pear") -> None:
    lines = [f"{source} {row}\t{target} {row}" for row in range(rows)]
    path.write_text("\n".join(["source\ttarget", *lines]), encoding="utf-8")


def writing_config(**finetune) -> dict:
    """Pairs of which 70 are trained on, a decoder and an encoder-decoder."""
    write_pairs(Path("pairs.tsv"), rows=100)
    split = {"validation": 0.2, "test": 0.1}
    section = {
        "task": {"type": "text_generation"},
        "tasks": {"answer": {"data": {"train": {"type": "table", "paths": ["pairs.tsv"]}, "split": split}}},
        "candidates": {"gpt": {"model": TINY_GPT, "epochs": 2}, "t5": {"model": TINY_T5, "epochs": 2}},
        "source_length": 24,
        "target_length": 16,
        "batch_size": 16,
        "generation": {"max_new_tokens": 16},
    }
    return {"output_dir": "out", "tokenizer": {"type": "bytes"}, "finetune": section | finetune}


def test_models_that_write_are_estimated_in_both_stages():
    objective = {"type": "span_corruption", "mean_span_length": 2.0}
    values = pretrain_config(model=TINY_T5, objective=objective) | {"tokenizer": {"type": "bytes", "num_sentinels": 8}}
    values["finetune"] = writing_config()["finetune"]
    lengths = span_lengths(validate(SpanCorruptionConfig, objective, "test"), 32)
    stages = {stage.name: stage for stage in doctor(values).stages}
    assert list(stages) == ["pretrain", "finetune.gpt", "finetune.t5"]
    assert stages["pretrain"].tokens_per_step == 8 * (32 + lengths.targets)
    assert stages["pretrain"].text_tokens_per_step == 8 * lengths.text
    assert stages["pretrain"].data_tokens == Path("corpus.txt").stat().st_size  # a byte is a token
    assert {stage.tokens_per_step for stage in stages.values() if stage.name != "pretrain"} == {16 * (24 + 16)}
    assert all(stage.memory.activations > 0 for stage in stages.values())


def test_steps_of_encoder_decoders_are_counted_and_those_of_decoders_estimated_from_the_lengths():
    stages = {stage.name: stage for stage in doctor(writing_config()).stages}
    assert stages["finetune.t5"].steps == 2 * 5  # of 70 training pairs, 16 a step
    # About 11 + 1 + 1 tokens of a source and 9 + 1 of a target in rows of 40.
    assert stages["finetune.gpt"].steps == 2 * 3


def test_pairs_that_are_cut_or_too_few_are_told():
    values = writing_config(target_length=4, batch_size=128)
    diagnosis = doctor(values)
    assert "70 training examples do not fill a batch of 128" in said(diagnosis, "warning")
    assert "fill finetune" not in said(diagnosis)  # there is no tokenizer yet
    tokenizer = RunDirectory(Path("out/tokenizer"))
    ByteTokenizer(BytesConfig()).save(tokenizer.tokenizer)
    tokenizer.write_report("tokenizer", "mark", {})
    warnings = said(doctor(values), "warning")
    assert "of the training targets fill finetune.target_length 4" in warnings
    assert "training sources" not in warnings


def test_pairs_that_are_not_there_are_told_and_leave_the_steps_open():
    values = writing_config()
    Path("pairs.tsv").unlink()
    diagnosis = doctor(values)
    assert "finetune.tasks: the text is not there yet" in said(diagnosis, "warning")
    assert [stage.steps for stage in diagnosis.stages] == [None, None]
    assert diagnosis.would_run


# What is found in the configuration and its data.


def test_corpus_that_is_too_small_for_the_steps_is_told():
    assert "times through the text" in said(doctor(pretrain_config(text="a pear. " * 500, steps=5000)), "warning")
    assert "fewer than the" in said(doctor(pretrain_config(text="a pear")), "warning")
    assert "times through" not in said(doctor(pretrain_config(text="a pear. " * 50_000)))


def test_tokens_a_parameter_are_compared_with_compute_optimal_training():
    assert "tokens a parameter" in said(doctor(pretrain_config(steps=50)), "note")
    assert "tokens a parameter" not in said(doctor(pretrain_config(steps=5000, text="a pear. " * 50_000)))


def test_text_that_is_not_there_yet_is_no_failure():
    values = pretrain_config()
    Path("corpus.txt").unlink()
    diagnosis = doctor(values)
    assert "There is no file corpus.txt" in said(diagnosis, "warning")
    assert diagnosis.would_run


def test_batch_that_does_not_divide_would_stop_the_run():
    diagnosis = doctor(pretrain_config(batch_size=6), AMPERE)
    assert "batch_size 6 does not divide into 4 replicas" in said(diagnosis, "stop")
    assert not diagnosis.would_run
    assert doctor(pretrain_config(batch_size=8), AMPERE).would_run


def test_memory_that_is_not_there_is_told():
    assert "GB of memory" not in said(doctor(pretrain_config(), CPU))
    assert "GB of memory" in said(doctor(pretrain_config(), replace(CPU, memory_bytes=10**5)), "warning")


def test_strategy_that_the_machine_cannot_serve_would_stop_the_run(monkeypatch):
    for strategy in ("mirrored", "multi_worker", "tpu"):
        diagnosis = doctor(pretrain_config() | {"runtime": {"strategy": strategy}}, CPU)
        assert f"strategy is {strategy}" in said(diagnosis, "stop")
    monkeypatch.setenv("TF_CONFIG", "{nonsense")
    assert "TF_CONFIG" in said(doctor(pretrain_config()), "stop")


def test_keras_distribution_would_stop_the_run():
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0"]))
    try:
        assert "keras.distribution is set" in said(doctor(pretrain_config()), "stop")
    finally:
        keras.distribution.set_distribution(None)


def test_candidate_from_a_run_that_is_not_there_is_left_out():
    write_table(Path("train.csv"), rows=90)
    values = finetune_config()
    values["finetune"]["candidates"]["old"] = {"initialize_from": "runs/gone"}
    diagnosis = doctor(values)
    assert [stage.name for stage in diagnosis.stages] == ["finetune.lstm"]
    assert "finetune.old is not estimated" in said(diagnosis, "warning")


def test_experiment_without_training_is_refused():
    with pytest.raises(UserError, match="trains nothing"):
        doctor({"output_dir": "out"})


# Silent downgrades.


def downgrades(machine: Machine, is_compiled: bool = True, **runtime) -> dict[str, str]:
    found = silent_downgrades(RuntimeConfig(**runtime), machine, is_compiled, has_attention=True)
    return {finding.message: finding.level for finding in found}


@pytest.mark.parametrize(
    ("machine", "settings", "words", "level"),
    [
        (CPU, {"is_compiled": False}, "jit_compile is auto, which is off on a CPU", "note"),
        (CPU, {"is_compiled": False, "jit_compile": False}, "XLA does not compile the step: as set", "note"),
        (CPU, {}, "computed in float32, and this CPU multiplies bfloat16", "note"),
        (AMPERE, {}, "computed in float32, and this GPU multiplies bfloat16", "note"),
        (TURING, {}, "this GPU has units for float16", "note"),
        (TURING, {"precision": "mixed_bfloat16"}, "cannot multiply bfloat16", "warning"),
        (replace(CPU, has_bfloat16=False), {"precision": "mixed_bfloat16"}, "cannot multiply bfloat16", "warning"),
        (CPU, {"precision": "mixed_bfloat16"}, "XLA on a CPU widens bfloat16", "warning"),
        (CPU, {"precision": "mixed_float16"}, "float16 is slow on a CPU", "warning"),
        (replace(CPU, uses_onednn=False), {}, "oneDNN is off", "warning"),
        (replace(CPU, has_hidden_gpu=True), {}, "TensorFlow sees no GPU", "warning"),
        (AMPERE, {"precision": "mixed_bfloat16"}, "Attention is not fused", "note"),
    ],
)
def test_silent_downgrade_is_named(machine, settings, words, level):
    assert level in [found for message, found in downgrades(machine, **settings).items() if words in message]


def test_gpu_that_is_used_well_hears_of_attention_alone():
    assert len(downgrades(AMPERE, precision="mixed_bfloat16")) == 1
    assert len(downgrades(TURING, precision="mixed_float16")) == 1


def test_onednn_is_known_to_be_off_by_its_variable(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not Machine.here().uses_onednn


# The command.


def test_command_writes_plain_text_on_a_pipe_and_nothing_to_the_disk(tmp_path):
    write_yaml(tmp_path / "x.yaml", pretrain_config())
    before = sorted(tmp_path.rglob("*"))
    answer = tfplm(tmp_path, "doctor", "x.yaml", "pretrain.model.num_layers=2")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert "\x1b[" not in answer.stdout
    for words in ("parameters", "operations a token", "activations", "tokens a second", "note: "):
        assert words in answer.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_command_gives_json_and_exits_with_2_where_the_run_would_stop(tmp_path):
    write_yaml(
        tmp_path / "x.yaml",
        pretrain_config(model=TINY_LSTM | {"bidirectional": False}, objective={"type": "causal_lm"}),
    )
    answer = tfplm(tmp_path, "doctor", "x.yaml", "runtime.strategy=multi_worker", "--json", "--no-calibrate")
    assert answer.returncode == 2
    record = json.loads(answer.stdout)
    assert not record["would_run"]
    assert record["stages"][0]["seconds_per_step"] is None
    assert "TF_CONFIG" in record["findings"][0]["message"]


def test_wrong_input_is_answered_with_one_message(tmp_path):
    write_yaml(tmp_path / "x.yaml", finetune_config() | {"sed": 3})
    assert_told_cleanly(tfplm(tmp_path, "doctor", "x.yaml"), "sed: unknown key")
