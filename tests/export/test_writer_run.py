import pytest
import yaml

from export.runs import export_run
from export.writer_instructions import writer_instructions
from tests.export.writers import make_writer, make_writer_run
from tfplm.errors import UserError

_SETTINGS = {"max_new_tokens": 20, "temperature": 0.0}


@pytest.mark.parametrize("broken", [{"tasks": {}}, {"task": {"separator": "x"}}, {"tasks": {"a": "b"}, "task": {}}])
def test_a_damaged_fine_tuning_is_refused(broken, tmp_path):
    run = make_writer_run(make_writer("lstm"), tmp_path / "run", "finetune")
    run.config.write_text(yaml.safe_dump({"stage": "finetune", **broken}))
    with pytest.raises(UserError, match="is damaged"):
        export_run(run.path, "tflite", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pretrained_run_needs_its_examples_too(tmp_path):
    run = make_writer_run(make_writer("lstm"), tmp_path / "run")
    (run.path / "examples.json").unlink()
    with pytest.raises(UserError, match="incomplete: examples.json"):
        export_run(run.path, "saved_model", tmp_path / "out")


def test_several_tasks_are_listed_with_their_prefixes():
    prefixes = {"translation": "translate: ", "summary": "summarize: "}
    for format in ("saved_model", "tflite"):
        text = writer_instructions(format, "translate: Öl", "encoder_decoder", "bytes", _SETTINGS, prefixes)
        assert "- translation: `translate: `\n- summary: `summarize: `" in text
        assert "of its task" not in writer_instructions(format, "Öl", "decoder", "bytes", _SETTINGS, {"one": "do: "})


@pytest.mark.parametrize(("kind", "signature"), [("decoder", "prefill_N"), ("recurrent", "step")])
def test_the_signatures_of_the_family_are_explained(kind, signature):
    assert f"`{signature}`" in writer_instructions("tflite", "a", kind, "sentencepiece", _SETTINGS, {})


def test_a_quote_in_the_prompt_does_not_end_the_command():
    text = writer_instructions("tflite", "it's", "decoder", "bytes", _SETTINGS, {})
    assert "python generate.py 'it'\\''s' --max-new-tokens 40\n" in text
