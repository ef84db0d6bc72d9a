"""Settings of the process: threads, precision, seed."""

import contextlib

import keras
import tensorflow as tf

from tfplm.errors import UserError
from tfplm.training_configuration import RuntimeConfig


def configure_runtime(runtime: RuntimeConfig) -> None:
    """Sets the threads, the logical devices and the dtype policy of this process.

    Raises:
        UserError: TensorFlow already runs with another number of threads or devices, or keras.distribution is set.
    """
    if keras.distribution.distribution() is not None:
        raise UserError(
            "keras.distribution is set, which Keras accepts on TensorFlow and then does nothing with.",
            remedy="Remove it, and choose the devices by runtime.strategy.",
        )
    if runtime.num_threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(runtime.num_threads)
            tf.config.threading.set_inter_op_parallelism_threads(runtime.num_threads)
        except RuntimeError as error:
            if tf.config.threading.get_intra_op_parallelism_threads() != runtime.num_threads:
                raise _already_started("num_threads", runtime.num_threads) from error
    if runtime.logical_cpus > 1:
        _divide_cpu(runtime.logical_cpus)
    keras.mixed_precision.set_global_policy(runtime.precision)


def wait_for_devices() -> None:
    """Waits until the devices of this process have done all that they were given, so that a clock can be read."""
    with contextlib.suppress(tf.errors.InternalError):  # TensorFlow cannot where several workers are connected
        tf.test.experimental.sync_devices()


def _divide_cpu(num_devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) != num_devices:
            raise _already_started("logical_cpus", num_devices) from error


def _already_started(key: str, value: int) -> UserError:
    return UserError(
        f"runtime.{key} is {value}, but TensorFlow has already started.",
        remedy="Set it before anything else is run in this process.",
    )
