"""How much memory this process and its GPUs use."""

import resource
import sys
from pathlib import Path

import tensorflow as tf

_STATUS = Path("/proc/self/status")


def memory_figures() -> dict[str, float]:
    """Megabytes (10^6 bytes) of this process.

    Returns:
        ``peak_memory_mb``, the most that was resident; on Linux ``memory_mb``, what is resident now; with GPUs
        ``gpu_peak_memory_mb``, the most that TensorFlow has allocated on one of them.
    """
    figures = {"peak_memory_mb": _peak()} | (_resident() if _STATUS.exists() else {})
    peaks = [_gpu_peak(device.name) for device in tf.config.list_logical_devices("GPU")]
    known = [peak for peak in peaks if peak is not None]
    return figures | ({"gpu_peak_memory_mb": max(known)} if known else {})


def _resident() -> dict[str, float]:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    kibibytes = {"memory_mb": "VmRSS", "peak_memory_mb": "VmHWM"}
    return {name: int(lines[key].split()[0]) * 1024 / 1e6 for name, key in kibibytes.items() if key in lines}


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _gpu_peak(device: str) -> float | None:
    try:
        return tf.config.experimental.get_memory_info(device.removeprefix("/device:"))["peak"] / 1e6
    except (ValueError, tf.errors.OpError):  # the allocator keeps no statistics
        return None
