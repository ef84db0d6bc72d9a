"""Settings of the process: threads, precision, seed."""

import keras
import tensorflow as tf

from tfplm.errors import UserError
from tfplm.experiment import RuntimeConfig


def configure_runtime(runtime: RuntimeConfig) -> None:
    """Sets the number of threads and the dtype policy of this process.

    Raises:
        UserError: TensorFlow already runs with another number of threads.
    """
    if runtime.num_threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(runtime.num_threads)
            tf.config.threading.set_inter_op_parallelism_threads(runtime.num_threads)
        except RuntimeError as error:
            if tf.config.threading.get_intra_op_parallelism_threads() != runtime.num_threads:
                raise UserError(
                    f"runtime.num_threads is {runtime.num_threads}, but TensorFlow has already started.",
                    remedy="Set it before anything else is run in this process.",
                ) from error
    keras.mixed_precision.set_global_policy(runtime.precision)
