import math

import numpy as np
import pytest

from tests.corpora import numbered_shards, sentinel_tokenizer
from tfplm import feature_names as names
from tfplm.data.pretraining import pretraining_batches
from tfplm.models.build import build_model
from tfplm.models.configuration import LstmConfig
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from trainers.language_model_evaluation import (
    BitsPerByte,
    TextScorer,
    TextSums,
    evaluate_language_model,
    tokens_per_byte,
)

TOKENIZER = sentinel_tokenizer(0)


@pytest.fixture(scope="module")
def task():
    config = LstmConfig(embedding_dim=8, hidden_dim=8, bidirectional=False, max_sequence_length=16)
    return CausalLanguageModel(build_model(config, TOKENIZER.vocabulary_size), CausalLmConfig())


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return numbered_shards(tmp_path_factory.mktemp("text") / "shards", 21, 5, 33)


def test_every_token_and_every_end_is_counted_once_whatever_the_batch(task, shards):
    figures = [
        evaluate_language_model(task, pretraining_batches(shards, TOKENIZER, task.config, 8, batch_size, seed=0))
        for batch_size in (2, 5)
    ]
    assert figures[0]["tokens"] == 21 + 5 + 33 + 3
    assert figures[0]["bytes"] == 21 + 5 + 33
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_the_figures_are_those_of_the_models_probabilities(task, shards):
    batches = pretraining_batches(shards, TOKENIZER, task.config, 8, 4, seed=0)
    nats, hits = [], []
    for features, targets, weights in batches.epoch_batches(4):
        logits = np.asarray(task(features)[names.NEXT_TOKEN], np.float64)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        counted = weights[names.NEXT_TOKEN] > 0
        expected = targets[names.NEXT_TOKEN]
        nats += list(-np.take_along_axis(logits, expected[..., None], -1)[..., 0][counted])
        hits += list((logits.argmax(-1) == expected)[counted])
    figures = evaluate_language_model(task, batches)
    assert figures["nats_per_token"] == pytest.approx(np.mean(nats), rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(np.mean(nats)), rel=1e-4)
    assert figures["bits_per_byte"] == pytest.approx(np.sum(nats) / math.log(2) / 59, rel=1e-5)
    assert figures["token_accuracy"] == pytest.approx(np.mean(hits))


def test_a_constant_weight_of_the_tokens_does_not_change_the_figures(task, shards):
    batches = list(pretraining_batches(shards, TOKENIZER, task.config, 8, 4, seed=0).epoch_batches(4))
    heavy = [
        (features, targets, {names.NEXT_TOKEN: 3 * weights[names.NEXT_TOKEN]}) for features, targets, weights in batches
    ]
    scorer = TextScorer(task)
    assert scorer.sums(heavy, None).figures() == scorer.sums(batches, None).figures()


def test_bits_a_byte_follow_from_the_loss_by_the_tokens_of_the_text(shards):
    ratio = tokens_per_byte(shards, TOKENIZER)
    assert ratio == pytest.approx(62 / 59)
    logs = {"val_loss": 2.0}
    BitsPerByte(ratio).on_epoch_end(0, logs)
    assert logs["val_bits_per_byte"] == pytest.approx(2.0 / math.log(2) * 62 / 59)
    without = {"loss": 1.0}
    BitsPerByte(ratio).on_epoch_end(0, without)
    assert without == {"loss": 1.0}


def test_nothing_to_predict_is_refused():
    with pytest.raises(ValueError, match="got no tokens"):
        TextSums().figures()
