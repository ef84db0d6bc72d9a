"""How tfplm's tasks are made ready for ``fit``: the one place that knows."""

from benchmarks.workload import BertWorkload, LstmWorkload
from tfplm.tasks.task import Task
from tfplm.training_configuration import OptimizerConfig
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel


def trainable(task: Task, workload: BertWorkload | LstmWorkload, jit: bool) -> TrainingModel:
    """The task in the training engine, with the optimizer that the stages build."""
    config = OptimizerConfig(
        learning_rate=workload.learning_rate,
        schedule="constant",
        warmup_fraction=0.0,
        weight_decay=workload.weight_decay,
        global_clipnorm=workload.clip_norm,
    )
    model = TrainingModel(task)
    model.compile(build_optimizer(config, total_steps=1), jit_compile=jit)
    return model
