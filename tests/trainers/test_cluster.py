import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tensorflow as tf

from tests.trainers.local_cluster import local_clusters, outcomes, tf_configs
from tfplm.errors import UserError
from tfplm.progress import Progress
from trainers.cluster import connect, translate_cluster_error
from trainers.rendezvous import WorkerLostError

ROOT = Path(__file__).parents[2]


class Workers:
    """Real processes that run cluster_worker.py, behind a web proxy that leads nowhere."""

    def __init__(self, *works: str, arguments: tuple[str, ...] = ()):
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "http_proxy": "http://127.0.0.1:9",
        }
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.trainers.cluster_worker", work, *arguments],
                cwd=ROOT,
                env=environment | {"TF_CONFIG": config},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for work, config in zip(works, tf_configs(len(works)), strict=True)
        ]
        self.limit = threading.Timer(120, self.kill)

    def __enter__(self) -> "Workers":
        self.limit.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.limit.cancel()
        self.kill()
        for process in self.processes:
            process.communicate()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def wait_for(self, words: str) -> None:
        for process in self.processes:
            while words not in (line := process.stdout.readline()):
                assert line, process.stderr.read()

    def end(self, index: int, seconds: float = 30.0) -> tuple[int, str]:
        """The exit code of a worker that ends by itself, and what it wrote to standard error."""
        error = self.processes[index].communicate(timeout=seconds)[1]
        return self.processes[index].returncode, error


def connected(cluster, work, **limits):
    def run():
        with connect(cluster, Progress.silent(), 20.0, **limits) as connection:
            return work(connection)

    return run


def on_all(num_workers, work):
    """What the work gives or raises on every worker of a cluster of threads."""
    return outcomes(*(connected(cluster, work) for cluster in local_clusters(num_workers)))


def test_without_a_cluster_nobody_is_waited_for(tmp_path):
    with connect(None, Progress.silent()) as connection:
        assert connection.is_chief
        assert connection.num_workers == 1
        assert connection.gather("values", (1, 2)) == [[1, 2]]
        connection.barrier("place")
        connection.require_equal("value", 3)
        connection.require_shared(tmp_path / "nothing")
    assert not list(tmp_path.iterdir())


def test_every_worker_gets_the_values_of_all():
    assert on_all(3, lambda c: [c.gather("a", c.cluster.index), c.gather("b", "x")]) == [[[0, 1, 2], ["x"] * 3]] * 3


def test_the_chief_goes_first():
    order = []

    def work(connection):
        with connection.chief_first("work"):
            time.sleep(0.3 * connection.is_chief)
            order.append(connection.cluster.index)

    on_all(3, work)
    assert order[0] == 0
    assert sorted(order) == [0, 1, 2]


def test_a_failure_of_the_chief_is_not_waited_out():
    def work(connection):
        with connection.chief_first("work"):
            if connection.is_chief:
                raise ValueError("no such thing")

    chief, other = on_all(2, work)
    assert isinstance(chief, ValueError)
    assert isinstance(other, WorkerLostError)
    assert re.search(r"worker 0 \(.*\) has failed: ValueError: no such thing", str(other))


def test_differences_between_workers_are_named():
    for error in on_all(2, lambda c: c.require_equal("the number of GPUs", 4 + c.cluster.index)):
        assert isinstance(error, UserError)
        assert re.search(r"differ in the number of GPUs: 4 on worker 0 .*, but 5 on worker 1", str(error))


def test_a_directory_has_to_be_shared(tmp_path, monkeypatch):
    assert on_all(2, lambda c: c.require_shared(tmp_path / "run")) == [None, None]
    assert not list((tmp_path / "run").iterdir())
    monkeypatch.setattr("trainers.cluster._SHARED_SECONDS", 0.5)
    for error in on_all(2, lambda c: c.require_shared(tmp_path / str(c.cluster.index))):
        assert re.search(r"worker 0 .* is not seen on worker 1", str(error))


def test_workers_that_do_not_do_the_same_are_told():
    for error in on_all(2, lambda c: c.barrier(f"stage {c.cluster.index}")):
        assert re.search(r"worker 0 .* at 'stage 0'; worker 1 .* at 'stage 1'", str(error))


def test_workers_end_together_however_slow_one_is():
    with Workers("be_slow", "end", "end") as workers:
        start = time.monotonic()
        assert [workers.end(index) for index in (1, 2, 0)] == [(0, "")] * 3
        assert time.monotonic() - start >= 1.5


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_those_who_wait_and_those_who_hang(victim):
    works = ["wait", "hang", "hang"] if victim == 1 else ["hang", "wait", "hang"]
    with Workers(*works, arguments=("grace=1",)) as workers:
        workers.wait_for("met")
        workers.processes[victim].kill()
        for index in {0, 1, 2} - {victim}:
            code, error = workers.end(index)
            assert code == 2
            assert re.match(rf"error: worker {victim} \(127.0.0.1:\d+\) is lost: its process has ended", error)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_falls_silent_is_lost(victim):
    works = ["hang", "wait"] if victim == 0 else ["wait", "hang"]
    with Workers(*works, arguments=("silence_timeout=2",)) as workers:
        workers.wait_for("met")
        workers.processes[victim].send_signal(signal.SIGSTOP)
        code, error = workers.end(1 - victim)
        assert code == 2
        assert re.match(rf"error: worker {victim} .* is lost: it has given no sign of life for 2 s", error)


def test_the_error_of_one_worker_is_told_by_all():
    with Workers("wait", "wait", "fail") as workers:
        assert workers.end(2) == (2, "error: the data is bad.\nMend it.\n")
        for index in (0, 1):
            code, error = workers.end(index)
            assert code == 2
            assert re.match(r"error: worker 2 \(.*\) has failed: the data is bad.\nMend it.\n", error)


def test_tensorflow_trains_at_the_same_addresses_and_a_killed_worker_ends_it():
    with Workers("all_reduce", "all_reduce") as workers:
        workers.wait_for("sum 3.0")
        workers.processes[1].kill()
        code, error = workers.end(0)
        assert code == 2
        assert re.search(r"error: worker 1 \(127.0.0.1:\d+\) is lost", error)


def test_errors_of_tensorflow_name_the_worker():
    cluster = local_clusters(3)[0]
    unhealthy = "Collective ops is aborted by: /job:worker/replica:0/task:2 stopped sending heartbeats"
    for error_class in (tf.errors.UnavailableError, tf.errors.InternalError):
        told = translate_cluster_error(error_class(None, None, unhealthy), cluster)
        assert str(cluster.workers[2]) in str(told)
    told = translate_cluster_error(tf.errors.AbortedError(None, None, "Socket closed"), cluster)
    assert "One of worker 1" in str(told)


@pytest.mark.parametrize(
    "error", [ValueError("Socket closed"), tf.errors.InvalidArgumentError(None, None, "shapes [2] and [3]")]
)
def test_other_errors_are_left_as_they_are(error):
    assert translate_cluster_error(error, local_clusters(2)[0]) is None
