"""What an experiment file may not ask for, told before anything is run."""

import pytest
import yaml

from tfplm.config import dump_config, validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import FinetuneConfig, GenerationFinetuneConfig

TEXT = {"sources": [{"type": "text", "paths": ["*.txt"]}]}
TABLE = {"train": {"type": "table", "paths": ["x.csv"], "label_column": "label"}}
LSTM = {"model": {"type": "lstm"}}
PAIRS = {"train": {"type": "table", "paths": ["pairs.tsv"]}}
SENTENCEPIECE = {"type": "sentencepiece"}


def finetune(**changes) -> dict:
    return {"data": TABLE, "candidates": {"lstm": LSTM}} | changes


def pretrain(model: str, objective: str, **changes) -> dict:
    bidirectional = {"bidirectional": False} if model == "lstm" else {}
    return {"model": {"type": model, **bidirectional}, "objective": {"type": objective}} | changes


def writing(**changes) -> dict:
    finetune = {
        "task": {"type": "text_generation"},
        "tasks": {"translate": {"data": PAIRS}},
        "candidates": {"t5": {"model": {"type": "t5"}}},
    }
    return {"tokenizer": SENTENCEPIECE, "finetune": finetune | changes}


MISTAKES = {
    "no section 'pretrain'|no such section": {
        "finetune": finetune(candidates={"a": {"initialize_from": "pretrain"}}),
    },
    "either initialize_from or model": {"finetune": finetune(candidates={"a": {}})},
    "needs a corpus section": {"pretrain": {"model": {"type": "bert"}}},
    "needs a finetune section": {"export": {}},
    "not among finetune.candidates": {"finetune": finetune(), "export": {"candidate": "bert"}},
    "is over max_sequence_length 128": {"finetune": finetune(sequence_length=129)},
    "greater than or equal to 3": {"finetune": finetune(sequence_length=2)},
    "no room for text: give 3 or more": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "sequence_length": 2},
    },
    "no room for text: give 5 or more": {
        "corpus": TEXT,
        "pretrain": {
            "model": {"type": "bert"},
            "objective": {"type": "masked_lm", "next_sentence": True},
            "sequence_length": 4,
        },
    },
    "a seed stands twice": {"finetune": finetune(seeds=[1, 1])},
    "should match pattern": {"finetune": finetune(candidates={"../x": LSTM})},
    "needs validation data": {
        "finetune": finetune(data=TABLE | {"split": {"validation": 0.0}}, early_stopping_patience=2),
    },
    "same normalization": {
        "corpus": TEXT | {"cleaning": {"normalization": "NFKC"}},
        "finetune": finetune(),
    },
    "is not a multiple of log_every": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "steps": 110, "log_every": 100},
    },
    "is over model.max_sequence_length": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "sequence_length": 256},
    },
    "ends behind the last step": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "steps": 10, "profile": [9, 11]},
    },
    "ends before it begins": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "profile": [9, 8]},
    },
    "set model.bidirectional: false": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "lstm"}, "objective": {"type": "causal_lm"}},
    },
    "objective.type masked_lm": {
        "corpus": TEXT,
        "pretrain": {"model": {"type": "bert"}, "objective": {"type": "causal_lm"}},
    },
    "marks two segments": {
        "corpus": TEXT,
        "pretrain": {
            "model": {"type": "bert", "num_segments": 1},
            "objective": {"type": "masked_lm", "next_sentence": True},
        },
    },
    "gpt model is pretrained with objective.type causal_lm": {"corpus": TEXT, "pretrain": pretrain("gpt", "masked_lm")},
    "objective.type span_corruption or prefix_lm": {
        "corpus": TEXT,
        "tokenizer": SENTENCEPIECE,
        "pretrain": pretrain("t5", "causal_lm"),
    },
    "set tokenizer.num_sentinels to 5 or more": {
        "corpus": TEXT,
        "tokenizer": {"type": "bytes", "num_sentinels": 4},
        "pretrain": pretrain("t5", "span_corruption", sequence_length=100),
    },
    "t5 model needs tokenizer.type sentencepiece or bytes": {"corpus": TEXT, "pretrain": pretrain("t5", "prefix_lm")},
    "bert model needs tokenizer.type wordpiece": {
        "corpus": TEXT,
        "tokenizer": {"type": "bytes"},
        "pretrain": pretrain("bert", "masked_lm"),
    },
    "candidates.t5 writes text, and a wordpiece tokenizer loses it": writing() | {"tokenizer": {}},
    "two tasks have the same prefix": writing(tasks={"a": {"data": PAIRS}, "b": {"data": PAIRS}}),
    "patience needs validation data": writing(
        tasks={"a": {"data": PAIRS | {"split": {"validation": 0.0}}}}, early_stopping_patience=1
    ),
    "candidates.bert: a bert model does not write": writing(candidates={"bert": {"model": {"type": "bert"}}}),
    "starts from a bert model, which does not write": {
        "corpus": TEXT,
        "pretrain": pretrain("bert", "masked_lm"),
        "finetune": writing(candidates={"b": {"initialize_from": "pretrain"}})["finetune"],
    },
    r"source_length \+ generation.max_new_tokens 256 is over": writing(
        candidates={"gpt": {"model": {"type": "gpt", "max_sequence_length": 255}}}
    ),
    "target_length 600 is over max_sequence_length 512": writing(target_length=600),
    "candidates.t5: a t5 model does not do text_classification": {
        "finetune": finetune(candidates={"t5": {"model": {"type": "t5"}}})
    },
    "expected settings with task.type": {"finetune": {"task": {"type": "text_writing"}}},
    "finetune.tasks.translate.prefx: unknown key; did you mean 'prefix'": writing(
        tasks={"translate": {"data": PAIRS, "prefx": "translate: "}}
    ),
    "finetune.sed: unknown key; did you mean 'seeds'": {"finetune": finetune(sed=[3])},
    "or a pretrained one that writes": {"corpus": TEXT, "pretrain": pretrain("bert", "masked_lm"), "export": {}},
    "export.candidate names one of finetune.candidates": {
        "corpus": TEXT,
        "pretrain": pretrain("gpt", "causal_lm"),
        "export": {"candidate": "gpt"},
    },
}


@pytest.mark.parametrize("message", MISTAKES)
def test_what_cannot_work_is_told_at_once(message):
    with pytest.raises(UserError, match=message):
        validate(ExperimentConfig, {"output_dir": "runs/x"} | MISTAKES[message], "test.yaml")


def test_a_name_in_any_script_is_a_candidate():
    values = {"output_dir": "runs/x", "finetune": finetune(candidates={"基线-1.0": LSTM})}
    assert list(validate(ExperimentConfig, values, "test.yaml").finetune.candidates) == ["基线-1.0"]


@pytest.mark.parametrize(
    ("model", "objective"),
    [
        ("bert", "masked_lm"),
        ("lstm", "causal_lm"),
        ("gpt", "causal_lm"),
        ("t5", "span_corruption"),
        ("t5", "prefix_lm"),
        ("lstm_seq2seq", "span_corruption"),
        ("lstm_seq2seq", "prefix_lm"),
    ],
)
def test_every_family_is_pretrained_with_its_objectives(model, objective):
    tokenizer = {} if model == "bert" else {"type": "bytes", "num_sentinels": 100}
    values = {"output_dir": "x", "corpus": TEXT, "tokenizer": tokenizer, "pretrain": pretrain(model, objective)}
    assert validate(ExperimentConfig, values, "test.yaml").pretrain.objective.type == objective


def test_a_pretrained_model_that_writes_leaves_without_finetuning():
    values = {"output_dir": "x", "corpus": TEXT, "pretrain": pretrain("gpt", "causal_lm"), "export": {}}
    assert validate(ExperimentConfig, values, "test.yaml").export.candidate is None


def test_what_a_finetuning_is_follows_from_its_task_and_survives_a_round_trip():
    values = {"output_dir": "x", **writing()}
    experiment = validate(ExperimentConfig, values, "test.yaml")
    assert isinstance(experiment.finetune, GenerationFinetuneConfig)
    assert validate(ExperimentConfig, yaml.safe_load(dump_config(experiment)), "again") == experiment
    without_task = validate(ExperimentConfig, {"output_dir": "x", "finetune": finetune()}, "test.yaml")
    assert isinstance(without_task.finetune, FinetuneConfig)
