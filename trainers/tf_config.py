"""The cluster that TF_CONFIG describes, checked before anything starts."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfplm.errors import UserError

_EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_FOREIGN_JOBS = {
    "ps": "parameter servers, which hold the variables of another strategy",
    "master": "a master, as TensorFlow 1 called the chief",
}


@dataclass(frozen=True)
class Worker:
    """One process of the cluster."""

    job: str  # "chief" or "worker"
    task: int  # number within the job
    address: str  # host:port

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"

    @property
    def name(self) -> str:
        """As people call it: "chief", "worker 1"."""
        return self.job if self.job == "chief" else f"{self.job} {self.task}"

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@dataclass(frozen=True)
class Cluster:
    """The workers that train together, and which of them this process is.

    Args:
        workers: all of them; the first is the chief, which alone writes files.
        index: the place of this process among them.
    """

    workers: tuple[Worker, ...]
    index: int

    @property
    def num_workers(self) -> int:
        return len(self.workers)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    @property
    def chief(self) -> Worker:
        return self.workers[0]

    @property
    def own(self) -> Worker:
        """The worker that this process is."""
        return self.workers[self.index]

    @property
    def peers(self) -> list[int]:
        """The places of the others."""
        return [index for index in range(self.num_workers) if index != self.index]

    @property
    def digest(self) -> str:
        """The same for all workers of a cluster, another for another cluster."""
        return hashlib.sha256(repr(self.workers).encode()).hexdigest()

    @property
    def jobs(self) -> dict[str, list[str]]:
        """The addresses by job, as ``tf.train.ClusterSpec`` takes them."""
        addresses: dict[str, list[str]] = {}
        for worker in self.workers:
            addresses.setdefault(worker.job, []).append(worker.address)
        return addresses


def read_cluster(environ: Mapping[str, str] = os.environ) -> Cluster | None:
    """Reads TF_CONFIG as people, Kubernetes (TFJob) and Vertex AI set it; keys that it does not know are left alone.

    Returns:
        None where there is no TF_CONFIG, or one with an empty cluster: this process trains alone.

    Raises:
        UserError: TF_CONFIG does not parse or describes no cluster of workers that this process belongs to.
    """
    text = environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    config = _parse(text)
    if "cluster" not in config and config:
        raise _error("has no 'cluster'")
    if not config.get("cluster"):
        return None
    workers = _workers(config["cluster"])
    return Cluster(workers, _own_index(config.get("task"), workers))


def require_cluster(environ: Mapping[str, str] = os.environ) -> Cluster:
    """Reads TF_CONFIG, which has to be there.

    Raises:
        UserError: there is none, or it is wrong.
    """
    cluster = read_cluster(environ)
    if cluster is None:
        raise UserError(
            "runtime.strategy is multi_worker, but the environment variable TF_CONFIG names no cluster.",
            f"Expected, on every worker with its own index: {_EXAMPLE}",
            "Set TF_CONFIG, or use strategy: auto to train on this machine alone.",
        )
    return cluster


def cluster_for(strategy: str, environ: Mapping[str, str] = os.environ) -> Cluster | None:
    """The workers that train together under RuntimeConfig.strategy; None where this process trains alone.

    Raises:
        UserError: TF_CONFIG is wrong, missing for ``multi_worker``, or names workers that the strategy leaves alone.
    """
    if strategy == "multi_worker":
        return require_cluster(environ)
    cluster = read_cluster(environ)
    if cluster is None or cluster.num_workers == 1:
        return None
    if strategy != "auto":
        raise UserError(
            f"runtime.strategy is {strategy}, but TF_CONFIG names {cluster.num_workers} workers, and each of them "
            "would train alone and write the same files.",
            remedy="Set runtime.strategy: auto or multi_worker, or unset TF_CONFIG.",
        )
    return cluster


def _parse(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _error(f"is not JSON ({error})") from error
    if not isinstance(config, dict):
        raise _error("is not a JSON object")
    return config


def _workers(cluster: Any) -> tuple[Worker, ...]:
    if not isinstance(cluster, dict) or not all(isinstance(addresses, list) for addresses in cluster.values()):
        raise _error("has a 'cluster' that is not one list of addresses for each job")
    for job, addresses in cluster.items():
        if addresses and job in _FOREIGN_JOBS:
            raise _error(f"names {_FOREIGN_JOBS[job]}", "Give the cluster a chief and workers only.")
        if addresses and job not in ("chief", "worker", "evaluator"):
            raise _error(f"names the unknown job '{job}'", "Give the cluster a chief and workers only.")
    if len(cluster.get("chief", [])) > 1:
        raise _error(f"names {len(cluster['chief'])} chiefs", "Make all but one of them workers.")
    workers = tuple(
        Worker(job, task, _checked_address(job, task, address))
        for job in ("chief", "worker")
        for task, address in enumerate(cluster.get(job, []))
    )
    if not workers:
        raise _error("names neither a chief nor workers")
    addresses = [worker.address for worker in workers]
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if twice:
        raise _error(f"gives the address {', '.join(twice)} to several workers", "Give each its own host or port.")
    return workers


def _checked_address(job: str, task: int, address: Any) -> str:
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    is_port = port.isascii() and port.isdigit() and 0 < int(port) < 2**16
    if not host or "/" in host or not is_port:
        raise _error(f"gives {job} {task} the address {address!r}, which is not host:port")
    return address


def _own_index(task: Any, workers: tuple[Worker, ...]) -> int:
    if not isinstance(task, dict) or "type" not in task or "index" not in task:
        raise _error("does not say which task this process is: 'task' has no 'type' or no 'index'")
    job, number = task["type"], task["index"]
    if job == "evaluator":
        raise _error("makes this process an evaluator", "Start none: the workers evaluate while they train.")
    for index, worker in enumerate(workers):
        if (worker.job, str(worker.task)) == (job, str(number)):
            return index
    names = ", ".join(worker.name for worker in workers)
    raise _error(f"makes this process {job} {number}, which is not in its cluster ({names})")


def _error(what: str, remedy: str = "Set it on every worker with its own index.") -> UserError:
    return UserError(f"The environment variable TF_CONFIG {what}.", f"Expected: {_EXAMPLE}", remedy)
