import re

import pytest

from tfplm.config import (
    apply_overrides,
    dump_config,
    load_config,
    parse_yaml,
    read_yaml,
    validate,
    with_settings,
    written_settings,
)
from tfplm.data.configuration import TextSource
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig

MINIMAL = {
    "output_dir": "runs/x",
    "corpus": {"sources": [{"type": "text", "paths": ["a.txt"]}]},
    "pretrain": {"model": {"type": "bert"}},
}


def mistakes_of(values: dict) -> str:
    with pytest.raises(UserError) as caught:
        validate(ExperimentConfig, values, "x.yaml")
    return str(caught.value)


def test_defaults_are_filled_in():
    experiment = validate(ExperimentConfig, MINIMAL, "x.yaml")
    assert experiment.pretrain.model.num_layers == 4
    assert experiment.seed == 0


def test_unknown_key_is_named_by_its_path_with_the_nearest_known_key():
    values = apply_overrides(MINIMAL, ["pretrain.stps=3"])
    assert "pretrain.stps: unknown key; did you mean 'steps'?" in mistakes_of(values)


def test_unknown_key_inside_a_family_is_named_as_the_user_writes_it():
    values = apply_overrides(MINIMAL, ["pretrain.model.num_layer=3"])
    assert "  pretrain.model.num_layer: unknown key; did you mean 'num_layers'?" in mistakes_of(values)


def test_unknown_key_in_a_list_is_named_with_its_index():
    values = apply_overrides(MINIMAL, ["corpus.sources.0.path=b.txt"])
    assert "corpus.sources.0.path: unknown key; did you mean 'paths'?" in mistakes_of(values)


def test_all_mistakes_are_named_at_once():
    values = apply_overrides(MINIMAL, ["pretrain.steps=0", "pretrain.stps=1", "runtime.jit_compile=1", "seed=-1"])
    message = mistakes_of(values)
    assert "x.yaml: 4 mistakes" in message
    for key in ("pretrain.steps", "pretrain.stps", "runtime.jit_compile", "seed"):
        assert f"  {key}: " in message


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("pretrain.steps='10'", "pretrain.steps"),
        ("pretrain.steps=1.5", "pretrain.steps"),
        ("output_dir=3", "output_dir"),
        ("pretrain.model.type=brt", "pretrain.model"),
        ("runtime.precision=float8", "runtime.precision"),
        ("corpus.sources=a.txt", "corpus.sources"),
    ],
)
def test_wrong_type_is_an_error_and_never_coerced(override, key):
    assert f"  {key}" in mistakes_of(apply_overrides(MINIMAL, [override]))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("pretrain.optimizer.learning_rate=.inf", "pretrain.optimizer.learning_rate: .*finite"),
        ("pretrain.model={type: bert, hidden_dim: 15, num_heads: 1, position_embedding: sinusoidal}", "15 is odd"),
        ("corpus.sources.0.label={pattern: '(a)', ranges: {new: [9, 3]}}", "'new' begins with 9, behind its end 3"),
        ("corpus.sources.0.label={pattern: '(a)', ranges: {b: [5, 9], a: [1, 5]}}", "'a' and 'b' overlap"),
    ],
)
def test_values_that_could_only_fail_later_are_refused_at_once(override, said):
    assert re.search(said, mistakes_of(apply_overrides(MINIMAL, [override])))


def test_a_value_of_several_kinds_is_named_as_the_user_writes_it():
    values = MINIMAL | {"finetune": {"data": {"train": {"type": "text", "paths": ["a"]}}, "candidates": {"a": {}}}}
    message = mistakes_of(apply_overrides(values, ["finetune.task.class_weights={spam: -1}"]))
    assert "  finetune.task.class_weights.spam: input should be greater than or equal to 0 (found -1)" in message


def test_missing_key_is_named():
    assert "output_dir: required and missing" in mistakes_of({"seed": 1})


def test_stages_that_do_not_fit_together_are_refused():
    assert "corpus" in mistakes_of({"output_dir": "x", "pretrain": {"model": {"type": "bert"}}})


def test_configuration_is_frozen():
    experiment = validate(ExperimentConfig, MINIMAL, "x.yaml")
    with pytest.raises(ValueError, match="frozen"):
        experiment.seed = 3


@pytest.mark.parametrize(
    ("override", "value"),
    [("a.b=1e-4", 1e-4), ("a.b=text", "text"), ("a.b=[1, 2]", [1, 2]), ("a.b=null", None), ("a.b=a=b", "a=b")],
)
def test_override_value_is_read_as_yaml(override, value):
    assert apply_overrides({}, [override]) == {"a": {"b": value}}


def test_override_leaves_the_original_as_it_was():
    values = {"a": {"b": 1}, "c": [{"d": 2}]}
    assert apply_overrides(values, ["a.b=3", "c.0.d=4"]) == {"a": {"b": 3}, "c": [{"d": 4}]}
    assert values == {"a": {"b": 1}, "c": [{"d": 2}]}


@pytest.mark.parametrize("override", ["a.b", "=3", "a..b=3", "c.1.d=3", "c.x=3", "e.f=3", "a.b=[1"])
def test_malformed_override_is_refused(override):
    with pytest.raises(UserError, match="override"):
        apply_overrides({"a": {"b": 1}, "c": [1], "e": 5}, [override])


def test_dumped_configuration_reads_back_equal(tmp_path):
    experiment = validate(ExperimentConfig, MINIMAL, "x.yaml")
    path = tmp_path / "x.yaml"
    path.write_text(dump_config(experiment), encoding="utf-8")
    assert load_config(ExperimentConfig, path) == experiment


def test_key_written_twice_is_refused():
    with pytest.raises(UserError, match=r"x\.yaml, line 2, .*'seed' stands twice"):
        parse_yaml("seed: 1\nseed: 2\n", "x.yaml")


def test_malformed_yaml_is_named_with_its_line():
    with pytest.raises(UserError, match=r"x\.yaml, line 2"):
        parse_yaml("a: 1\nb: [1}\n", "x.yaml")


def test_yaml_builds_no_python_objects():
    with pytest.raises(UserError, match="not valid YAML"):
        parse_yaml("a: !!python/object/apply:os.getcwd []", "x.yaml")


def test_missing_file_names_similar_files(tmp_path):
    (tmp_path / "quickstart.yaml").write_text("a: 1", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_yaml(tmp_path / "quikstart.yaml")
    assert str(tmp_path / "quickstart.yaml") in caught.value.remedy


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"- a\n- b\n", b"", b"text"])
def test_file_that_is_no_mapping_is_refused(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.yaml"):
        read_yaml(path)


def test_replaced_settings_are_validated_anew_and_defaults_follow_them():
    values = apply_overrides(MINIMAL, ["pretrain.optimizer={type: adamw, learning_rate: 1e-3}"])
    experiment = validate(ExperimentConfig, values, "x.yaml")
    changed = with_settings(experiment, {("pretrain", "optimizer", "type"): "lion", ("seed",): 3}, "a trial")
    assert (changed.pretrain.optimizer.beta_2, changed.seed) == (0.99, 3)  # adamw's is 0.999
    assert changed.pretrain.optimizer.learning_rate == 1e-3
    assert with_settings(experiment, {}, "the same") == experiment
    with pytest.raises(UserError, match="a trial: 1 mistake(.|\n)*pretrain.stps: unknown key"):
        with_settings(experiment, {("pretrain", "stps"): 1}, "a trial")


def test_written_settings_are_those_that_were_given_and_the_types():
    experiment = validate(ExperimentConfig, MINIMAL, "x.yaml")
    assert written_settings(experiment) == MINIMAL | {"pretrain": {"model": {"type": "bert"}}}
    in_python = TextSource(paths=["a.txt"])
    assert written_settings(in_python) == {"type": "text", "paths": ["a.txt"]}
