import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.tasks.small_encoders import build_encoder, randomize
from tfplm.tasks.configuration import MultipleChoiceConfig
from tfplm.tasks.multiple_choice import MultipleChoice

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(6, 20, (12, 3, 8)).astype("int32")
LABELS = (np.arange(12) % 3).astype("int32")
IDS[np.arange(12), LABELS, 2] = 5  # what makes a choice right is in its row
MASK = np.ones((12, 3), "int32")
INPUTS = {"token_ids": IDS, "choice_mask": MASK}


def build(family="bert", **config) -> MultipleChoice:
    return MultipleChoice(build_encoder(family), MultipleChoiceConfig(num_choices=3, **config))


@pytest.mark.parametrize(("family", "pooling"), [("bert", "encoder"), ("lstm", "mean")])
def test_every_choice_is_scored_by_its_row_alone(family, pooling):
    task = randomize(build(family, pooling=pooling))
    logits = ops.convert_to_numpy(task(INPUTS))
    alone = task({"token_ids": IDS[:, 1:2], "choice_mask": MASK[:, 1:2]})
    np.testing.assert_allclose(logits[:, 1:2], alone, atol=1e-5)


def test_a_choice_that_is_not_there_has_no_probability():
    task = randomize(build())
    mask = MASK.copy()
    mask[0, 2] = 0
    probabilities = ops.convert_to_numpy(task.probabilities(task(INPUTS | {"choice_mask": mask})))
    assert probabilities[0, 2] == 0.0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_fit_learns_and_the_scores_are_its_losses():
    keras.utils.set_random_seed(1)
    task = build("lstm", dropout=0.0)
    task.compile_for_training(keras.optimizers.Adam(0.03))
    history = task.fit(INPUTS, LABELS, epochs=15, batch_size=12, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    weights = (np.arange(12) < 7).astype("float32")
    losses = ops.convert_to_numpy(task.score(INPUTS, LABELS, weights, training=False).losses["multiple_choice"])
    probabilities = ops.convert_to_numpy(task.probabilities(task(INPUTS)))
    np.testing.assert_allclose(losses[:7], -np.log(probabilities[np.arange(7), LABELS[:7]]), rtol=1e-4)
    np.testing.assert_array_equal(losses[7:], 0.0)
