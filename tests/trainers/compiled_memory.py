"""What the training steps of the shipped configurations need, as TensorFlow and XLA have it: prints JSON.

Steps are compiled and not run. Compiling for its own sake, LLVM is asked to optimize nothing: the buffers are assigned
before it comes. Arguments are the names of stages to leave out.
"""

import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp())
os.environ["XLA_FLAGS"] = (
    f"--xla_dump_to={FOLDER} --xla_dump_hlo_as_text --xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true"
)

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from tests.trainers.shipped_stages import ShippedStage, compared_stages, map_specs  # noqa: E402
from trainers.optimizers import build_optimizer  # noqa: E402
from trainers.training_model import TrainingModel  # noqa: E402

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def measured(stage: ShippedStage) -> dict[str, float]:
    """Counts of the task's and the optimizer's variables, and what a step needs beside them and the gradients."""
    keras.mixed_precision.set_global_policy(stage.precision)
    task = stage.build_task()
    model = TrainingModel(task, stage.config.accumulation_steps, stage.config.rematerialize)
    model.compile(build_optimizer(stage.optimizer, 1000, stage.precision), jit_compile=True)
    batch = map_specs(tf.TensorSpec, stage.batch())
    normalizers = tf.nest.map_structure(lambda _: tf.TensorSpec((), tf.float32), task.normalizers(zeros(batch[2])))
    arguments = (*batch, normalizers, tf.TensorSpec((), tf.float32))

    def gradients(*flat):
        return model._gradients(*tf.nest.pack_sequence_as(arguments, flat))

    compiled = tf.function(gradients, jit_compile=True)
    compiled.experimental_get_compiler_ir(*tf.nest.flatten(arguments))(stage="optimized_hlo")
    (report,) = FOLDER.glob("*gradients*memory-usage-report.txt")
    size, unit = re.search(r"size ([\d.]+)(B|KiB|MiB|GiB), preallocated-temp", report.read_text()).groups()
    for file in FOLDER.iterdir():
        file.unlink()
    return {
        "parameters": task.count_params(),
        "trained": sum(math.prod(variable.shape) for variable in task.trainable_variables),
        "optimizer": sum(math.prod(variable.shape) for variable in model.optimizer.variables),
        "activations": float(size) * UNITS[unit],
    }


def zeros(batch):
    return tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), batch)


if __name__ == "__main__":
    print(json.dumps({stage.name: measured(stage) for stage in compared_stages(sys.argv[1:])}))
    FOLDER.rmdir()
