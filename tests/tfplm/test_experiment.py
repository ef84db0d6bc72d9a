"""What an experiment file may not ask for, told before anything is run."""

import pytest

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig

TEXT = {"sources": [{"type": "text", "paths": ["*.txt"]}]}
TABLE = {"train": {"type": "table", "paths": ["x.csv"], "label_column": "label"}}
LSTM = {"model": {"type": "lstm"}}


def finetune(**changes) -> dict:
    return {"data": TABLE, "candidates": {"lstm": LSTM}} | changes


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
}


@pytest.mark.parametrize("message", MISTAKES)
def test_what_cannot_work_is_told_at_once(message):
    with pytest.raises(UserError, match=message):
        validate(ExperimentConfig, {"output_dir": "runs/x"} | MISTAKES[message], "test.yaml")


def test_a_name_in_any_script_is_a_candidate():
    values = {"output_dir": "runs/x", "finetune": finetune(candidates={"基线-1.0": LSTM})}
    assert list(validate(ExperimentConfig, values, "test.yaml").finetune.candidates) == ["基线-1.0"]
