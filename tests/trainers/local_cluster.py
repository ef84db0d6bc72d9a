"""Clusters on this machine."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainers.tf_config import Cluster, read_cluster


def tf_configs(num_workers: int) -> list[str]:
    """TF_CONFIG of every worker, on ports that are free."""
    listeners = [socket.create_server(("", 0)) for _ in range(num_workers)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    cluster = {"worker": addresses}
    return [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}) for i in range(num_workers)]


def local_clusters(num_workers: int) -> list[Cluster]:
    """The cluster as each of its workers sees it."""
    return [read_cluster({"TF_CONFIG": config}) for config in tf_configs(num_workers)]


def outcomes(*works: Callable[[], Any]) -> list[Any]:
    """Does the works at the same time; returns what each gave or raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        return [future.exception() or future.result() for future in futures]
