import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.lstm import LSTM, Bidirectional

UNITS = 5
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 6, 4)).astype("float32")
TEXTS = [INPUTS[0, :3], INPUTS[1, :2], INPUTS[2, :1]]  # which make one row of six steps
PACKED = np.concatenate(TEXTS)[None]
PACKING_IDS = np.array([[1, 1, 1, 2, 2, 3]], "int32")
LAYERS = {
    "forward": lambda: LSTM(UNITS),
    "backward": lambda: LSTM(UNITS, go_backwards=True),
    "both": lambda: Bidirectional(UNITS),
}


class OfRows(keras.Model):
    """Lets a layer of ours be fitted."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        layer.build((None, None, INPUTS.shape[-1]))
        self.built = True

    def call(self, inputs):
        return self.layer(*inputs)


class SquaredSum(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.sum(ops.square(y_pred - y_true), axis=(1, 2))


def step(model, inputs, targets, jit_compile=False):
    """Trains one step with the sum of all squares; returns what became of the weights."""
    model.compile(keras.optimizers.SGD(0.1), SquaredSum(reduction="sum"), jit_compile=jit_compile)
    model.fit(inputs, targets, batch_size=len(targets), verbose=0)
    return [ops.convert_to_numpy(w) for w in model.trainable_weights]


def keras_layer(kind):
    if kind == "both":
        return keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True))
    return keras.layers.LSTM(UNITS, return_sequences=True, go_backwards=kind == "backward")


@pytest.mark.parametrize(("kind", "jit_compile"), [*((kind, False) for kind in LAYERS), ("both", True)])
def test_numbers_and_gradients_are_those_of_keras(kind, jit_compile):
    ours = OfRows(LAYERS[kind]())
    theirs = keras.Sequential([keras.Input(INPUTS.shape[1:]), keras_layer(kind)])
    theirs.set_weights(ours.get_weights())
    ids = np.ones(INPUTS.shape[:2], "int32")
    targets = RANDOM.normal(size=(3, 6, ours.layer.compute_output_shape(INPUTS.shape)[-1])).astype("float32")
    got, expected = ops.convert_to_numpy(ours((INPUTS, ids))), ops.convert_to_numpy(theirs(INPUTS))
    flip = kind == "backward"  # Keras returns the outputs in the order of reading
    np.testing.assert_allclose(got, expected[:, ::-1] if flip else expected, atol=1e-6)
    ours_after = step(ours, (INPUTS, ids), targets, jit_compile=jit_compile)
    theirs_after = step(theirs, INPUTS, targets[:, ::-1] if flip else targets)
    for a, b in zip(ours_after, theirs_after, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_text_in_a_packed_row_is_read_as_if_alone(kind):
    layer = LAYERS[kind]()
    alone = [ops.convert_to_numpy(layer(text[None], np.ones((1, len(text)), "int32"))[0]) for text in TEXTS]
    packed = ops.convert_to_numpy(layer(PACKED, PACKING_IDS)[0])
    np.testing.assert_allclose(packed, np.concatenate(alone), atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_do_not_cross_from_text_to_text(kind):
    packed, padded = OfRows(LAYERS[kind]()), OfRows(LAYERS[kind]())
    padded.set_weights(packed.get_weights())
    width = packed.layer.compute_output_shape(PACKED.shape)[-1]
    of_packed = step(packed, (PACKED, PACKING_IDS), np.zeros((1, 6, width), "float32"))
    ids = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32")
    hidden = ops.convert_to_numpy(padded((INPUTS, ids)))
    targets = np.where(ids[..., None] > 0, 0.0, hidden).astype("float32")  # the padding adds nothing to the loss
    for a, b in zip(of_packed, step(padded, (INPUTS, ids), targets), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_config_rebuilds_the_layers():
    for build in LAYERS.values():
        rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(build()))
        assert rebuilt.get_config() == {**build().get_config(), "name": rebuilt.name}
