"""Energy as the machine counts it: processor packages and memory (RAPL), NVIDIA GPUs (NVML)."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf

_POWERCAP = Path("/sys/class/powercap")
_SECONDS_BETWEEN_SAMPLES = 30.0  # RAPL's counters begin again at zero after minutes


@dataclass
class Counter:
    """One counter of the machine, summed over its turns from the highest value to zero.

    Args:
        name: what it counts for.
        read: joules, from an unknown beginning.
        turns_at: joules that it begins again at zero after; None where it never does.
    """

    name: str
    read: Callable[[], float]
    turns_at: float | None = None
    joules: float = field(default=0.0, init=False)

    def __post_init__(self):
        self._last = self.read()

    def sample(self) -> None:
        now = self.read()
        difference = now - self._last
        if difference < 0 and self.turns_at is not None:
            difference += self.turns_at
        self.joules += max(difference, 0.0)
        self._last = now


class EnergyMeter:
    """Joules of this machine since the meter was built.

    Other programs on the machine count too: the counters are those of whole packages and GPUs.

    Args:
        powercap: the folder of the kernel's power-capping interface.

    Attributes:
        sources: the names of what is counted; empty where nothing is.

    Source: Linux kernel documentation, power/powercap; NVML, nvmlDeviceGetTotalEnergyConsumption.
    """

    def __init__(self, powercap: Path = _POWERCAP):
        self._counters = _rapl_counters(powercap) + _gpu_counters()
        self._sampled = time.monotonic()
        self.sources = [counter.name for counter in self._counters]

    def sample(self) -> None:
        """Follows the counters, so that none turns twice unseen; call it often, it reads them every 30 seconds."""
        if time.monotonic() - self._sampled > _SECONDS_BETWEEN_SAMPLES:
            self.joules()

    def joules(self) -> float | None:
        """All counters together; None where there are none, or one of them has failed."""
        self._sampled = time.monotonic()
        try:
            for counter in self._counters:
                counter.sample()
        except Exception:  # a counter that fails is no reason for a training to end
            self._counters = []
        return sum(counter.joules for counter in self._counters) if self._counters else None


def _rapl_counters(powercap: Path) -> list[Counter]:
    """The readable packages and memories; cores and graphics are parts of a package."""
    counters = []
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's processors too
        with contextlib.suppress(OSError, ValueError):
            name = (zone / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                turns_at = int((zone / "max_energy_range_uj").read_text()) / 1e6
                counters.append(Counter(f"{name} ({zone.name})", _rapl_reader(zone / "energy_uj"), turns_at))
    return counters


def _rapl_reader(file: Path) -> Callable[[], float]:
    return lambda: int(file.read_text()) / 1e6


def _gpu_counters() -> list[Counter]:
    """The GPUs that this process may use, where the package nvidia-ml-py is installed."""
    if not tf.config.list_physical_devices("GPU"):
        return []
    try:
        import pynvml
    except ImportError:
        return []

    def reader(device) -> Callable[[], float]:
        return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1e3

    counters = []
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        for device in _gpu_handles(pynvml):
            counters.append(Counter(f"GPU {pynvml.nvmlDeviceGetUUID(device)}", reader(device)))
    return counters


def _gpu_handles(pynvml) -> list:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    names = [name.strip() for name in visible.split(",") if name.strip()]
    return [
        pynvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else pynvml.nvmlDeviceGetHandleByUUID(name)
        for name in names
    ]
