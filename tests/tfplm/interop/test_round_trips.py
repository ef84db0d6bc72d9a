"""Every architecture with every head leaves as a Hugging Face folder and comes in again to the bit.

What was gone through makes the table in README.md.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from tests.tfplm.interop.families.decoder_tasks import GPT2, LLAMA, T5_ORIGINAL
from tests.tfplm.interop.families.encoder_tasks import small
from tests.tfplm.interop.families.family_tasks import build_task
from tests.tfplm.interop.small_tokenizers import TEXTS, small_tokenizer
from tests.tfplm.interop.support_table import Row, table_in, table_of
from tfplm.interop.huggingface_folder import write_huggingface
from tfplm.interop.pretrained import load_pretrained
from tfplm.interop.registry import family_named
from tfplm.tasks.task import Task

README = Path(__file__).parents[3] / "README.md"
SEED = np.random.default_rng(0)

# By model_type: the configuration of a small model, and the kinds of tokenizers that its checkpoints bring.
MODELS = {
    "bert": (small(), ("bert",)),
    "roberta": (small(pad_id=1, num_segments=1), ("roberta",)),
    "xlm-roberta": (small(pad_id=1, num_segments=1), ("xlm-roberta",)),
    "roberta-prelayernorm": (small(pad_id=1, num_segments=1, norm_first=True), ("roberta",)),
    "distilbert": (small(num_segments=0, pooler_activation="relu"), ("bert",)),
    "albert": (small(share_layers=True, embedding_dim=12), ("albert",)),
    "electra": (small(embedding_dim=12, pooler_activation="gelu"), ("bert",)),
    "gpt2": (GPT2, ("gpt2",)),
    "llama": (LLAMA, ("llama", "gpt2")),
    "mistral": (LLAMA.model_copy(update={"attention_window": 3}), ("llama",)),
    "qwen2": (LLAMA.model_copy(update={"qkv_bias": True, "tie_embeddings": True}), ("gpt2",)),
    "t5": (T5_ORIGINAL, ("t5",)),
    "mt5": (T5_ORIGINAL.model_copy(update={"activation": "geglu", "tie_embeddings": False}), ("t5",)),
}
CASES = [
    (model_type, kind, task_type)
    for model_type, (_, kinds) in MODELS.items()
    for kind in kinds
    for task_type in dict.fromkeys(family_named(model_type).architectures.values())
]
passed: dict[str, Row] = {}


@pytest.fixture(scope="module")
def tokenizer_of(tmp_path_factory):
    made = {}

    def tokenizer(kind: str):
        if kind not in made:
            made[kind] = small_tokenizer(kind, tmp_path_factory.mktemp("tokenizer") / kind)
        return made[kind]

    return tokenizer


def random_task(model_type: str, task_type: str, tokenizer) -> Task:
    config = MODELS[model_type][0].model_copy(
        update={"vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    )
    task = build_task(config, task_type)
    for variable in task.weights:  # norms and biases too
        variable.assign(SEED.normal(size=variable.shape).astype("float32"))
    return task


@pytest.mark.parametrize(("model_type", "kind", "task_type"), CASES)
def test_it_leaves_and_comes_in_again_to_the_bit(model_type, kind, task_type, tokenizer_of, tmp_path):
    tokenizer = tokenizer_of(kind)
    task = random_task(model_type, task_type, tokenizer)
    values = write_huggingface(task, tokenizer, tmp_path, model_type)
    assert values["model_type"] == json.loads((tmp_path / "config.json").read_text())["model_type"] == model_type

    again = load_pretrained(tmp_path)
    assert again.task.task_type == task_type
    assert again.task.encoder.config == task.encoder.config
    assert getattr(again.task, "class_names", None) == getattr(task, "class_names", None)
    found = {variable.path: ops.convert_to_numpy(variable) for variable in again.task.weights}
    for variable in task.weights:
        if variable.path not in again.loaded.new:
            np.testing.assert_array_equal(found[variable.path], ops.convert_to_numpy(variable), variable.path)
    assert not again.loaded.left_out
    for ids, expected in zip(again.tokenizer.encode(TEXTS), tokenizer.encode(TEXTS), strict=True):
        assert ids.tolist() == expected.tolist()
    assert (again.tokenizer.pad_id, again.tokenizer.end_id) == (tokenizer.pad_id, tokenizer.end_id)

    row = passed.setdefault(model_type, Row())
    row.heads.add(task_type)
    row.tokenizers.add(tokenizer.config.type)


def test_the_readme_has_the_table_of_what_was_gone_through():
    if set(passed) != set(MODELS):
        pytest.skip("only some of the round trips were run")
    table = table_of(passed)
    assert table_in(README) == table, f"put this between the marks in README.md:\n{table}"
    assert table_in(README.with_name("README.zh-CN.md")) == table
