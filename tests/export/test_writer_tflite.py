import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from export import generation_runner, tflite_file, writer_tflite
from export.parity import ExportMismatch
from export.runs import export_run
from export.writer_tflite import FILES
from tests.export.writers import PREFIX, TEXTS, TOKENIZER, make_writer, make_writer_run

_STAGES = {"gpt": "finetune", "t5": "finetune", "lstm": "pretrain", "lstm_seq2seq": "pretrain"}
_SIGNATURES = {
    "gpt": {"prefill_32", "prefill_40", "decode"},
    "t5": {"encode_32", "encode_40", "decode"},
    "lstm": {"step"},
    "lstm_seq2seq": {"encode_32", "decode"},
}


@pytest.fixture(scope="module")
def export_once(tmp_path_factory):
    done = {}

    def export(model: str):
        if model not in done:
            folder = tmp_path_factory.mktemp("writer")
            task = make_writer(model)
            run = make_writer_run(task, folder / "run", _STAGES[model])
            done[model] = task, folder / "out", export_run(run.path, "tflite", folder / "out")
        return done[model]

    return export


@pytest.fixture(scope="module", params=list(_STAGES))
def exported(request, export_once):
    return request.param, *export_once(request.param)


def test_it_writes_the_tokens_of_the_keras_model(exported):
    _, _, _, report = exported
    figures = report["files"]["model.tflite"]
    assert report["num_texts"] >= 64
    assert figures["equal_texts"] + figures["ties"] == report["num_texts"]
    assert figures["max_score_difference"] <= 1e-3
    assert report["equal_prompts"] == 1.0


def test_int8_is_compared(exported):
    _, _, _, report = exported
    figures = report["files"]["model_int8.tflite"]
    assert 0.5 < figures["equal_tokens"] <= 1.0
    assert figures["perplexity_int8"] == pytest.approx(figures["perplexity_float"], rel=0.2)


def test_signatures_share_one_copy_of_the_weights(exported):
    model, task, folder, _ = exported
    content = tflite_file.read_model(folder / "model.tflite")
    assert {signature.signatureKey.decode() for signature in content.signatureDefs} == _SIGNATURES[model]
    large = [bytes(buffer.data) for buffer in content.buffers if buffer.data is not None and len(buffer.data) >= 2048]
    assert max(Counter(hashlib.sha256(data).digest() for data in large).values()) == 1
    assert sum(map(len, large)) > 2 * task.count_params()


def test_operators_are_builtin(exported):
    _, _, folder, _ = exported
    for name in FILES:
        codes = tflite_file.read_model(folder / name).operatorCodes
        assert [code.customCode for code in codes if code.customCode] == []


def test_prompts_of_every_length_give_the_next_token_of_the_keras_model(export_once):
    task, folder, _ = export_once("gpt")
    writer = generation_runner.Writer(folder)
    row = [TOKENIZER.start_id, *TOKENIZER.encode(["the sun rises and snow falls, and so on"])[0].tolist()]
    expected = task({"token_ids": np.array([row], np.int32)})["next_token"].numpy()[0]
    for length in (1, 2, 31, 32, 33, 39):
        np.testing.assert_allclose(writer.read_prompt(row[:length]), expected[length - 1], atol=1e-4)
    for place in range(2, len(row)):
        logits = writer.read(row[place]) if place > 2 else writer.read_prompt(row[:3])
        np.testing.assert_allclose(logits, expected[place], atol=1e-4)


def test_the_commands_of_the_instructions_work(export_once):
    _, folder, _ = export_once("gpt")
    instructions = (folder / "how_to_use.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", instructions, re.DOTALL)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[:2] for command in commands] == [["python", "generate.py"]] * 2
    done = [
        subprocess.run([sys.executable, "-I", *command[1:]], cwd=folder, capture_output=True, text=True)
        for command in commands
    ]
    assert [run.returncode for run in done] == [0, 0], done[0].stderr + done[1].stderr
    writer = generation_runner.Writer(folder)
    row = writer.row(TOKENIZER.encode([f"{PREFIX}{commands[0][2]}\n"])[0].tolist())
    assert done[0].stdout == TOKENIZER.decode(list(writer.write(row, 40, generation_runner.Sampler()))) + "\n"


def test_nothing_stays_when_the_tokens_differ(monkeypatch, tmp_path):
    settings = writer_tflite._settings
    monkeypatch.setattr(writer_tflite, "_settings", lambda *of: settings(*of) | {"banned_ids": list(range(200))})
    with pytest.raises(ExportMismatch, match="writes other tokens than the Keras model"):
        writer_tflite.export_writer_tflite(make_writer("lstm"), TOKENIZER, tmp_path / "out", TEXTS)
    assert not list(tmp_path.iterdir())


def test_the_settings_beside_the_files_frame_the_prompt(export_once):
    for model, separator in (("gpt", "\n"), ("t5", "")):
        settings = json.loads((export_once(model)[1] / "writer.json").read_text(encoding="utf-8"))
        assert (settings["prefix"], settings["separator"]) == (PREFIX, separator)
    assert PREFIX not in TEXTS[0]
