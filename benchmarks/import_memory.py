"""``python -m benchmarks.import_memory FOLDER…``: the most memory that importing a checkpoint takes, beside its model.

Each checkpoint is loaded in a process of its own. The figure is the peak of its resident memory, mapped files included,
less what it had with all libraries loaded. Linux only.
"""

import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    for folder in sys.argv[1:]:
        subprocess.run([sys.executable, "-m", "benchmarks.import_memory", "--load", folder], check=True)


def _load(folder: str) -> None:
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  part of what every process has loaded

    from tfplm.interop.pretrained import load_pretrained

    tf.reduce_sum(tf.zeros([8, 8]) @ tf.zeros([8, 8]))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, started = _resident("VmRSS"), time.perf_counter()
    task = load_pretrained(folder).task
    taken, seconds = _resident("VmHWM") - before, time.perf_counter() - started
    model = task.count_params() * 4 / 2**20
    print(f"{folder}: model {model:.0f} MiB, peak {taken:.0f} MiB, {taken / model:.2f} times, {seconds:.1f} s")


def _resident(name: str) -> float:
    """In MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    _load(sys.argv[2]) if sys.argv[1:2] == ["--load"] else main()
