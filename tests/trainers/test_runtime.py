import subprocess
import sys

import keras
import pytest

from tfplm.errors import UserError
from tfplm.training_configuration import RuntimeConfig
from trainers.runtime import configure_runtime


@pytest.fixture(autouse=True)
def restored_policy():
    before = keras.mixed_precision.dtype_policy()
    yield
    keras.mixed_precision.set_dtype_policy(before)


def test_the_precision_is_the_policy_of_new_layers():
    configure_runtime(RuntimeConfig(precision="mixed_bfloat16"))
    assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    configure_runtime(RuntimeConfig())
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_the_number_of_threads_is_set_in_a_fresh_process():
    program = (
        "from tfplm.training_configuration import RuntimeConfig; from trainers.runtime import configure_runtime; "
        "configure_runtime(RuntimeConfig(num_threads=2)); import tensorflow as tf; "
        "print(tf.config.threading.get_intra_op_parallelism_threads())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"


def test_threads_cannot_change_once_tensorflow_runs():
    keras.ops.convert_to_numpy(keras.ops.ones(3) + 1)
    with pytest.raises(UserError, match="already started"):
        configure_runtime(RuntimeConfig(num_threads=3))


def test_keras_distribution_is_refused_since_it_would_do_nothing():
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0"]))
    try:
        with pytest.raises(UserError, match="does nothing with"):
            configure_runtime(RuntimeConfig())
    finally:
        keras.distribution.set_distribution(None)
