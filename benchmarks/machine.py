"""Where and with what was measured."""

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from benchmarks.rounds import ROOT

_PACKAGES = (
    "tfplm tensorflow keras keras-hub tf-keras tf-models-official tensorflow-text torch transformers tokenizers numpy"
)


def usable_cores() -> list[int]:
    """The cores that this process may run on, as taskset sets them; macOS lets it run on all."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))


def use_cores(count: int) -> None:
    """Keeps this process, and those it starts, on the first so many of its cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, usable_cores()[:count])


def describe() -> dict:
    """Machine, versions, commit and date: plain values."""
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "cores_used": len(usable_cores()),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES.split() if (version := _version(name))},
    }


def _cpu() -> str:
    """The processor's name with the extensions that matter to matrix products."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in path.read_text().split("\n\n")[0].split("\n") if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = set(facts.get("flags", "").split()) & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
    family = f"family {facts['cpu family']} model {facts['model']}" if "cpu family" in facts else ""
    return ", ".join(part for part in (facts.get("model name", platform.machine()), family, *sorted(flags)) if part)


def _commit() -> str | None:
    """The commit of the checkout, with '+' where files have changed since; None without git."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
