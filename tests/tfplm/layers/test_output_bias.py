import keras
import numpy as np
from keras import ops

from tfplm.layers.output_bias import OutputBias


def test_adds_a_bias_and_gives_float32_in_mixed_precision():
    layer = OutputBias(dtype="mixed_bfloat16")
    layer.build((None, None, 3))
    layer.bias.assign([1.0, 2.0, 3.0])
    output = layer(ops.ones((1, 2, 3), "bfloat16"))
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(output)[0, 0], [2.0, 3.0, 4.0])
