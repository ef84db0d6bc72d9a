import keras
import numpy as np
from keras import ops

from tfplm.tasks.next_sentence import NextSentenceHead


def test_gives_two_float32_logits_in_mixed_precision_too():
    head = NextSentenceHead(dtype="mixed_bfloat16")
    logits = head(np.ones((3, 8), "float32"))
    assert logits.shape == (3, 2)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_config_rebuilds_the_head():
    head = NextSentenceHead("he_normal")
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert rebuilt.get_config() == head.get_config()
    assert ops.shape(rebuilt(np.ones((1, 4), "float32"))) == (1, 2)
