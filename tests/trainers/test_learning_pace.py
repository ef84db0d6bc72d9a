import pytest

from tests.trainers.small_tasks import small_task
from trainers.learning_pace import Paces, paces_by_depth

QKV, EMBEDDINGS = "bert/block_0/attention/qkv/kernel", "bert/token_embedding/embeddings"


def test_the_learning_rate_falls_by_the_same_factor_from_layer_to_layer():
    paces = paces_by_depth(small_task("bert"), layer_decay=0.5)
    assert paces.rate_factors["bert/block_1/attention/qkv/kernel"] == 0.5
    assert paces.rate_factors[QKV] == 0.25
    assert paces.rate_factors[EMBEDDINGS] == pytest.approx(0.5**3)
    assert not any("classifier/" in path for path in paces.rate_factors) and not paces.first_steps


def test_lower_layers_begin_later():
    paces = paces_by_depth(small_task("bert"), steps_per_layer=10)
    assert (paces.first_steps[QKV], paces.first_steps[EMBEDDINGS]) == (20, 30)
    assert not any("classifier/" in path for path in paces.first_steps) and not paces.rate_factors


def test_frozen_weights_and_plain_settings_have_no_pace():
    task = small_task("bert")
    assert paces_by_depth(task) == Paces()
    task.encoder.token_embedding.embeddings.trainable = False
    assert EMBEDDINGS not in paces_by_depth(task, 0.5, 10).first_steps
