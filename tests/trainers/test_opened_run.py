"""What a run can be used for, told without TensorFlow."""

import json

import pytest

from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory, write_config
from trainers.opened_run import OpenedRun

TASKS = {"translate": {"prefix": "translate: "}, "summarize": {"prefix": "总结："}}
BEAM = {"strategy": "beam", "num_beams": 4, "max_new_tokens": 40}


def write_run(path, stage="finetune", task_type="causal_lm", **config):
    run = RunDirectory(path)
    for folder in (run.tokenizer, run.model):
        folder.mkdir(parents=True)
    (run.model / "model.json").write_text(json.dumps({"task_type": task_type}))
    write_config(run, {"stage": stage, **config})
    run.write_report(stage, "mark", {})
    return path


@pytest.fixture
def translator(tmp_path):
    path = write_run(tmp_path / "run", tasks=TASKS, task={"separator": "\n"}, generation=BEAM)
    return OpenedRun.open(path)


def test_an_unknown_task_names_the_known_ones_and_one_of_several_must_be_named(translator):
    assert translator.choose_task("summarize") == "summarize"
    for name in ("answer", None):
        with pytest.raises(UserError, match="Known are translate, summarize"):
            translator.choose_task(name)
    assert (translator.prefixes["summarize"], translator.separator) == ("总结：", "\n")


def test_the_only_task_need_not_be_named_and_a_pretrained_model_has_none(tmp_path):
    one = OpenedRun.open(write_run(tmp_path / "one", task_type="seq2seq_lm", tasks={"a": {"prefix": "a: "}}))
    assert (one.choose_task(None), one.separator) == ("a", "")
    pretrained = OpenedRun.open(write_run(tmp_path / "pretrained", stage="pretrain"))
    assert pretrained.choose_task(None) is None
    with pytest.raises(UserError, match="pretrained model, which has none"):
        pretrained.choose_task("a")


def test_settings_are_those_of_the_run_unless_others_are_given(translator):
    assert translator.generation_settings({"num_beams": 2}).num_beams == 2
    settings = translator.generation_settings({"strategy": "greedy"})
    assert (settings.strategy, settings.num_beams, settings.max_new_tokens) == ("greedy", 1, 40)
    with pytest.raises(UserError, match="max_new_tokens: input should be greater than 0"):
        translator.generation_settings({"max_new_tokens": 0})


def test_a_run_is_refused_for_what_it_cannot_do(translator, tmp_path):
    with pytest.raises(UserError, match="tfplm generate"):
        translator.require_answers("tfplm predict")
    classifier = OpenedRun.open(write_run(tmp_path / "labels", task_type="text_classification"))
    with pytest.raises(UserError, match="tfplm predict"):
        classifier.require_writer()
    bert = OpenedRun.open(write_run(tmp_path / "bert", stage="pretrain", task_type="masked_lm"))
    with pytest.raises(UserError, match="does not write text"):
        bert.require_writer()


def test_a_folder_of_runs_is_told_with_the_runs_below_it(tmp_path):
    run = write_run(tmp_path / "finetune" / "gpt" / "seed-0")
    with pytest.raises(UserError, match=f"Runs below it: {run}"):
        OpenedRun.open(tmp_path)
