"""What this machine is, as far as training depends on it; nothing is changed by looking."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from tfplm.errors import UserError
from tfplm.training_configuration import RuntimeConfig
from trainers.ceiling import device_name
from trainers.tf_config import cluster_for

_CPU_INFO, _MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}  # the last one: of Arm


@dataclass(frozen=True)
class Machine:
    """The devices of one worker.

    Args:
        kind: "CPU", "GPU" or "TPU".
        name: of the model.
        num_devices: of that kind.
        cores: of the CPU that this process may use.
        memory_bytes: of the host that this process may still take; None where it is not known.
        compute_capability: of the first GPU.
        has_bfloat16: whether the device multiplies bfloat16 by itself.
        has_hidden_gpu: whether there is an NVIDIA driver, and TensorFlow sees no GPU.
        uses_onednn: whether TensorFlow uses oneDNN's kernels on the CPU.
    """

    kind: str
    name: str
    num_devices: int
    cores: int
    memory_bytes: int | None
    compute_capability: tuple[int, int] | None
    has_bfloat16: bool
    has_hidden_gpu: bool
    uses_onednn: bool

    @classmethod
    def here(cls) -> "Machine":
        """Looks at the present machine."""
        gpus, tpus = tf.config.list_physical_devices("GPU"), tf.config.list_physical_devices("TPU")
        kind = "GPU" if gpus else "TPU" if tpus else "CPU"
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        capability = details.get("compute_capability")
        flags = _cpu_flags()
        has_bfloat16 = {
            "CPU": bool(_BFLOAT16_FLAGS & flags),
            "GPU": capability is not None and capability >= (8, 0),
            "TPU": True,
        }
        return cls(
            kind=kind,
            name=device_name() or _cpu_name(),
            num_devices=len(gpus or tpus) or 1,
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            memory_bytes=_free_memory(),
            compute_capability=capability,
            has_bfloat16=has_bfloat16[kind],
            has_hidden_gpu=not gpus and _NVIDIA_DRIVER.exists(),
            uses_onednn=os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false"),
        )


@dataclass(frozen=True)
class Placement:
    """How a strategy spreads a batch.

    Args:
        strategy: the one that is used; "auto" is resolved.
        num_workers: processes.
        devices: replicas of each.
        share_cpu: whether the replicas of a worker are parts of one CPU.
    """

    strategy: str
    num_workers: int
    devices: int
    share_cpu: bool

    @property
    def num_replicas(self) -> int:
        return self.num_workers * self.devices


def place(runtime: RuntimeConfig, machine: Machine) -> Placement:
    """How training would be spread over this machine, or over the cluster that it belongs to.

    Raises:
        UserError: the machine cannot serve the strategy, or TF_CONFIG is wrong.
    """
    on_cpu = machine.kind == "CPU"
    devices = runtime.logical_cpus if on_cpu else machine.num_devices
    cluster = cluster_for(runtime.strategy)
    if cluster is not None:
        return Placement("multi_worker", cluster.num_workers, devices, on_cpu)
    strategy = runtime.strategy if runtime.strategy != "auto" else _best_strategy(machine, devices)
    if strategy == "mirrored" and on_cpu and devices == 1:
        raise nothing_to_mirror()
    if strategy == "tpu" and machine.kind != "TPU" and "TPU_NAME" not in os.environ:
        raise UserError("runtime.strategy is tpu, and there is no TPU here.", remedy="Set strategy: auto.")
    return Placement(strategy, 1, 1 if strategy == "one_device" else devices, on_cpu)


def nothing_to_mirror() -> UserError:
    """What is told where mirrored is asked for on one undivided CPU."""
    return UserError(
        "runtime.strategy is mirrored, and TensorFlow sees no GPU.",
        "Expected GPUs, or a CPU that is divided to rehearse.",
        "Set strategy: auto, install tensorflow[and-cuda] on a machine with GPUs, or rehearse on the CPU with "
        "runtime.logical_cpus=2.",
    )


def _best_strategy(machine: Machine, devices: int) -> str:
    if machine.kind == "TPU" or "TPU_NAME" in os.environ:
        return "tpu"
    return "mirrored" if devices > 1 else "one_device"


def _cpu_flags() -> set[str]:
    """What the processor knows; empty where the system does not say."""
    if not _CPU_INFO.exists():
        return set()
    lines = _CPU_INFO.read_text().splitlines()
    return set(next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "").split())


def _cpu_name() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _free_memory() -> int | None:
    """The least of what the system and the control group of this process leave."""
    limits = []
    if _MEMORY_INFO.exists():
        values = dict(line.split(":", 1) for line in _MEMORY_INFO.read_text().splitlines())
        limits.append(int(values["MemAvailable"].split()[0]) * 1024)
    try:
        limit = (_CONTROL_GROUP / "memory.max").read_text().strip()
        used = int((_CONTROL_GROUP / "memory.current").read_text())
        kinds = dict(line.split() for line in (_CONTROL_GROUP / "memory.stat").read_text().splitlines())
        used -= int(kinds.get("inactive_file", 0))  # which is given up when memory is asked for
        limits += [] if limit == "max" else [int(limit) - used]
    except (OSError, ValueError):  # no control group, or one of version 1
        pass
    return min(limits, default=None)
