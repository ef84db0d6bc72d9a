import os

import pytest

if os.environ.get("KERAS_BACKEND") == "jax":  # it compiles every op for itself: a fifth less time
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture
def mixed_bfloat16():
    """Sets the policy for one test."""
    import keras  # here: the tests of the configuration and the command line need none

    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy(before)
