"""The tf.distribute strategy of this process, and the batches that its replicas take."""

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf

from tfplm.data.batches import BatchSource, Share
from tfplm.errors import UserError
from tfplm.progress import Progress
from tfplm.training_configuration import RuntimeConfig
from trainers.ceiling import device_name, matmul_ceiling, peak_flops
from trainers.cluster import Connection, connect, multi_worker_strategy
from trainers.machine import nothing_to_mirror
from trainers.runtime import configure_runtime
from trainers.tf_config import cluster_for


@dataclass(frozen=True)
class Workplace:
    """Where this process trains: its devices, and its place among the workers.

    Args:
        strategy: under whose scope models and optimizers are made.
        jit_compile: whether XLA compiles the step.
        precision: of RuntimeConfig.
        connection: to the other workers.
    """

    strategy: tf.distribute.Strategy
    jit_compile: bool
    precision: str
    connection: Connection

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files."""
        return self.connection.is_chief

    @property
    def num_replicas(self) -> int:
        return self.strategy.num_replicas_in_sync

    def ceiling_flops(self) -> float:
        """Floating-point operations a second of large matrix products on all devices, as measured on one."""
        return matmul_ceiling(self.precision) * self._num_devices()

    def peak_flops(self) -> float | None:
        """The same by the maker of the accelerators; None where they are not known."""
        device = device_name()
        peak = peak_flops(device, self.precision) if device is not None else None
        return None if peak is None else peak * self._num_devices()

    def _num_devices(self) -> int:
        """Replicas that have a device of their own, which those that share a CPU have not."""
        return self.num_replicas if _accelerators() else self.connection.num_workers


@contextlib.contextmanager
def workplace(runtime: RuntimeConfig, progress: Progress) -> Iterator[Workplace]:
    """Sets up the process, meets the other workers if there are any, and builds the strategy.

    Raises:
        UserError: the machine cannot serve the strategy, TF_CONFIG is wrong, or a worker does not come.
    """
    if not os.environ.get("TF_CONFIG", "unset").strip():
        del os.environ["TF_CONFIG"]  # TensorFlow's strategies fail on an empty one
    cluster = cluster_for(runtime.strategy)
    with connect(cluster, progress) as connection:
        configure_runtime(runtime)
        strategy = multi_worker_strategy(connection) if cluster is not None else _strategy_here(runtime.strategy)
        yield Workplace(strategy, _uses_xla(runtime), runtime.precision, connection)


@functools.cache
def _strategy_here(kind: str) -> tf.distribute.Strategy:
    """The strategy of this machine alone; the same object at every call.

    A process has one: TensorFlow numbers the collective operations of a device from the process's start, and two
    strategies with different models would give different shapes to the same number.
    """
    if kind == "auto":
        return _strategy_here(_best_kind())
    return {"one_device": _one_device, "mirrored": _mirrored, "tpu": _tpu}[kind]()


def _best_kind() -> str:
    if "TPU_NAME" in os.environ:
        return "tpu"
    return "mirrored" if len(_accelerators() or tf.config.list_logical_devices("CPU")) > 1 else "one_device"


def _accelerators() -> list[str]:
    return [device.name for device in tf.config.list_logical_devices("GPU")]


def _one_device() -> tf.distribute.Strategy:
    return tf.distribute.OneDeviceStrategy("/gpu:0" if _accelerators() else "/cpu:0")


def _mirrored() -> tf.distribute.Strategy:
    devices = _accelerators() or [device.name for device in tf.config.list_logical_devices("CPU")]
    if not _accelerators() and len(devices) == 1:
        raise nothing_to_mirror()
    return tf.distribute.MirroredStrategy(devices)


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            f"runtime.strategy is tpu, and no TPU answers: {str(error).splitlines()[0]}",
            "Expected a TPU virtual machine, or the environment variable TPU_NAME.",
            "Set strategy: auto to train on what this machine has.",
        ) from error


def _uses_xla(runtime: RuntimeConfig) -> bool:
    """Whether the step is compiled by XLA: as the configuration says, and by itself on an accelerator."""
    if runtime.jit_compile == "auto":
        return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))
    return runtime.jit_compile


def require_whole_parts(batch_size: int, accumulation_steps: int, num_replicas: int) -> None:
    """Raises UserError where a batch cannot be divided equally between the replicas and their micro-batches."""
    parts = num_replicas * accumulation_steps
    if batch_size % parts:
        whole = [size for size in (batch_size // parts * parts, (batch_size // parts + 1) * parts) if size]
        raise UserError(
            f"batch_size is {batch_size}, and {num_replicas} replicas take {accumulation_steps} micro-batches of it "
            "each.",
            f"Expected a multiple of {parts}.",
            f"Set batch_size to {' or '.join(map(str, whole))}.",
        )


def distributed_dataset(
    strategy: tf.distribute.Strategy, source: BatchSource, start: int, stop: int | None
) -> tf.distribute.DistributedDataset:
    """The batches of the steps from ``start`` up to ``stop``, for `fit`: every replica gets its own rows of each.

    With ``stop`` None they have no end, otherwise they begin again behind the last: give `fit` the number of steps.
    Keras counts a strategy's batches wrong, and goes on in a data set of validation where it stopped.
    """

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
        share = Share(context.input_pipeline_id, context.num_input_pipelines, replicas)
        batches = source.dataset(start, stop, share)
        return batches if stop is None else batches.repeat()

    return strategy.distribute_datasets_from_function(of_worker)
