"""Several workers: they meet, wait for each other, and end together.

Beside TensorFlow's own connections every worker keeps a link to the chief. Over it go barriers, which may last for
hours, and signs of life: a worker that ends, fails or falls silent ends all the others within a minute, with a
message that names it, wherever they are at that moment.
"""

import contextlib
import json
import os
import re
import select
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tfplm
from tfplm.errors import UserError
from tfplm.failures import USER_ERROR, Preempted, explain
from tfplm.progress import Progress
from trainers.rendezvous import Link, WorkerLostError, failed, failure_message, lost, meet, told_failure
from trainers.tf_config import Cluster

if TYPE_CHECKING:
    import tensorflow as tf

_ALONE: dict[int, Link] = {}
_TICK_SECONDS = 0.25
_FAREWELL_SECONDS = 2.0  # for the others to take the last message
_WORD_SECONDS = 5.0  # for the link to say who is lost when TensorFlow has noticed it first
_SHARED_SECONDS = 10.0  # for a file to appear on a shared file system
_LOST_PEER_ERRORS = {"UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError"}


@contextlib.contextmanager
def connect(
    cluster: Cluster | None,
    progress: Progress,
    peer_timeout: float = 300.0,
    silence_timeout: float = 30.0,
    grace: float = 15.0,
) -> Iterator["Connection"]:
    """Waits for all workers, then keeps them together until the ``with`` block has ended on every one of them.

    It comes before ``multi_worker_strategy``: TensorFlow then listens at the addresses that were used to meet.

    Args:
        cluster: the workers; None, or a cluster of one, connects to nobody and never waits.
        progress: is told whom this worker waits for.
        peer_timeout: seconds to wait for the others at the start.
        silence_timeout: seconds without a sign of life after which a worker is lost.
        grace: seconds that the block has to end by itself when a worker is lost; then the process ends with 2.

    Yields:
        The connection.

    Raises:
        UserError: TF_CONFIG does not fit this machine.
        WorkerLostError: another worker did not come, failed or was lost; TensorFlow's own errors of a lost worker
            leave the block as this one.
    """
    links = _ALONE if cluster is None or cluster.num_workers == 1 else meet(cluster, progress, peer_timeout)
    connection = Connection(cluster, links, progress, silence_timeout, grace)
    try:
        yield connection
        connection.barrier("the end")
    except BaseException as error:
        cause = connection.leave(error)
        if cause is not None:
            raise cause from error
        raise
    connection.leave()


class Connection:
    """What ``connect`` gives: barriers, and a watch over the other workers.

    Every worker calls the same methods in the same order, from one thread.

    Example:
        >>> with connect(read_cluster(), Progress()) as connection:
        ...     with connection.chief_first("prepare"):
        ...         prepare()  # the others find it done
    """

    def __init__(
        self,
        cluster: Cluster | None,
        links: dict[int, Link],
        progress: Progress,
        silence_timeout: float,
        grace: float,
    ):
        self.cluster = cluster
        self._progress = progress
        self._num_rounds = 0
        self._watch = _Watch(cluster, links, silence_timeout, grace) if cluster is not None and links else None
        if self._watch is not None:
            self._watch.start()

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files; one without a cluster does."""
        return self.cluster is None or self.cluster.is_chief

    @property
    def num_workers(self) -> int:
        return 1 if self.cluster is None else self.cluster.num_workers

    def barrier(self, name: str) -> None:
        """Waits, for as long as they live, until all workers have come here.

        Raises:
            WorkerLostError: one failed or was lost.
        """
        self.gather(name, None)

    def gather(self, name: str, value: Any) -> list[Any]:
        """Waits until all workers have come here; returns the values of all, in the order of the cluster.

        Args:
            name: what is gathered; the same on all workers.
            value: something that JSON can hold.

        Raises:
            WorkerLostError: one failed or was lost.
        """
        value = json.loads(json.dumps(value))
        if self._watch is None:
            return [value]
        number, self._num_rounds = self._num_rounds, self._num_rounds + 1
        self._watch.give(number, name, value)
        next_words = time.monotonic() + 30.0
        while (values := self._watch.gathered(number, seconds=1.0)) is None:
            if time.monotonic() > next_words:
                next_words = time.monotonic() + 300.0
                self._progress.message(f"waiting for the other workers: {name}")
        return values

    @contextlib.contextmanager
    def chief_first(self, name: str) -> Iterator[None]:
        """The chief does the ``with`` block while the others wait; then they do it, and find what the chief left."""
        if not self.is_chief:
            self.barrier(name)
        yield
        if self.is_chief:
            self.barrier(name)

    def require_equal(self, what: str, value: Any) -> None:
        """Checks that all workers have the same, such as the configuration.

        Raises:
            UserError: some differ from the chief.
        """
        values = self.gather(what, value)
        different = [index for index, other in enumerate(values) if other != values[0]]
        if different:
            raise UserError(
                f"The workers differ in {what}: {values[0]!r} on {self.cluster.chief}, but "
                f"{values[different[0]]!r} on {self._names(different)}.",
                remedy="Start all workers with the same command, files, versions and kind of machine.",
            )

    def require_shared(self, directory: Path) -> None:
        """Checks that all workers see one and the same directory; the chief creates it.

        Raises:
            UserError: some do not see what the chief writes there.
        """
        if self._watch is None:
            return
        own_token = directory / f".shared-{uuid.uuid4().hex}"
        if self.is_chief:
            directory.mkdir(parents=True, exist_ok=True)
            own_token.touch()
        try:
            token = self.gather("the shared directory", own_token.name)[0]
            seen = self.gather("who sees the shared directory", _appears(directory / token))
        finally:
            if self.is_chief:
                own_token.unlink(missing_ok=True)
        blind = [index for index, sees in enumerate(seen) if not sees]
        if blind:
            raise UserError(
                f"What {self.cluster.chief} writes to {directory} is not seen on {self._names(blind)}.",
                "All workers read and write one file system, under the same path.",
                "Set output_dir to a directory of shared storage that is mounted on every worker.",
            )

    def leave(self, error: BaseException | None = None) -> UserError | None:
        """Tells the others how this worker ends; ``connect`` does it.

        Returns:
            The loss of another worker, where ``error`` is TensorFlow's word for it.
        """
        if self._watch is None:
            return None
        cause = None
        if error is not None:
            cause = translate_cluster_error(error, self.cluster)
            if cause is not None:
                cause = self._watch.failure(_WORD_SECONDS) or self._watch.suspicion() or cause
            self._watch.tell(cause or _for_others(error))
        self._watch.leave()
        return cause

    def _names(self, indices: list[int]) -> str:
        more = f" and {len(indices) - 8} more" if len(indices) > 8 else ""
        return ", ".join(str(self.cluster.workers[index]) for index in indices[:8]) + more


class _Watch(threading.Thread):
    """Reads the links, gives signs of life, and ends the process when the others are lost and it goes on.

    On the chief it also collects what the workers give, and passes on who has failed.
    """

    def __init__(self, cluster: Cluster, links: dict[int, Link], silence_timeout: float, grace: float):
        super().__init__(name="cluster watch", daemon=True)
        self._cluster, self._links = cluster, dict(links)
        self._silence_timeout, self._grace = silence_timeout, grace
        self._changed = threading.Condition()  # guards what follows
        self._failure: UserError | None = None
        self._failed_at = 0.0
        self._left_at: float | None = None
        self._given: dict[int, dict[int, tuple[str, Any]]] = {}  # by round and worker
        self._gathered: dict[int, list[Any]] = {}  # by round

    def give(self, number: int, name: str, value: Any) -> None:
        """Gives this worker's value of a round."""
        if self._cluster.is_chief:
            self._collect(self._cluster.index, number, name, value)
        else:
            self._broadcast(type="give", round=number, name=name, value=value)

    def gathered(self, number: int, seconds: float) -> list[Any] | None:
        """The values of a round, or None when they are not there within ``seconds``. Raises the failure of others."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or number in self._gathered, seconds)
            if number in self._gathered:
                return self._gathered.pop(number)
            if self._failure is not None:
                raise self._failure
            return None

    def failure(self, seconds: float) -> UserError | None:
        """Waits so long for the failure of another worker."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None, seconds)
            return self._failure

    def suspicion(self) -> UserError | None:
        """The loss of the worker that has been silent longest, if it has been for too long already."""
        silent = {index: time.monotonic() - link.heard_at for index, link in list(self._links.items())}
        index = max(silent, key=silent.__getitem__, default=None)
        if index is None or silent[index] < self._silence_timeout / 3:
            return None
        return lost(self._cluster.workers[index], f"it has given no sign of life for {silent[index]:.0f} s")

    def tell(self, error: UserError) -> None:
        """Tells all others that this worker fails, unless another has failed before."""
        if self.failure(seconds=0) is None:
            self._broadcast(**failure_message(failed(self._cluster.own, error)))

    def leave(self) -> None:
        """Says goodbye and ends the watch."""
        with self._changed:
            self._left_at = time.monotonic()
        self._broadcast(type="bye")
        for link in list(self._links.values()):
            link.end()
        self.join()

    def run(self) -> None:
        last_turn = next_sign = time.monotonic()
        while not self._is_over():
            now = time.monotonic()
            if now - last_turn > self._silence_timeout / 2:  # it was this process that stood still
                for link in self._links.values():
                    link.heard_at = now
            last_turn = now
            if now >= next_sign:
                next_sign = now + self._silence_timeout / 6
                self._broadcast(type="alive")
            for index, link in list(self._links.items()):
                self._hear(index, link)
            _wait_readable(self._links.values(), _TICK_SECONDS)
        for link in self._links.values():
            link.close()

    def _is_over(self) -> bool:
        """Whether this worker has left; ends the process if it should have."""
        with self._changed:
            now = time.monotonic()
            if self._left_at is not None:
                return not self._links or now - self._left_at > _FAREWELL_SECONDS
            if self._failure is not None and now - self._failed_at > self._grace:
                print(f"error: {self._failure}", file=sys.stderr, flush=True)
                os._exit(USER_ERROR)  # nothing else ends a thread that waits in a collective operation
            return False

    def _hear(self, index: int, link: Link) -> None:
        worker = self._cluster.workers[index]
        try:
            while (message := link.receive()) is not None:
                if message["type"] == "bye":
                    self._drop(index)
                    return
                self._handle(index, message)
        except OSError:
            self._drop(index)
            self._fail(lost(worker, "its process has ended, or its machine"))
            return
        if time.monotonic() - link.heard_at > self._silence_timeout:
            self._drop(index)
            self._fail(lost(worker, f"it has given no sign of life for {self._silence_timeout:.0f} s"))

    def _handle(self, sender: int, message: dict[str, Any]) -> None:
        if message["type"] == "give":
            self._collect(sender, message["round"], message["name"], message["value"])
        elif message["type"] == "gathered":
            with self._changed:
                self._gathered[message["round"]] = message["values"]
                self._changed.notify_all()
        elif message["type"] == "failed":
            self._fail(told_failure(message))

    def _collect(self, index: int, number: int, name: str, value: Any) -> None:
        """On the chief: takes what one worker gives, and sends everything to all when it is the last."""
        with self._changed:
            given = self._given.setdefault(number, {})
            given[index] = (name, value)
            names = {name for name, _ in given.values()}
            if len(names) > 1:
                self._fail(_come_apart(self._cluster, given))
            elif len(given) == self._cluster.num_workers:
                del self._given[number]
                values = [given[index][1] for index in range(self._cluster.num_workers)]
                self._broadcast(type="gathered", round=number, values=values)
                self._gathered[number] = values
                self._changed.notify_all()

    def _fail(self, failure: UserError) -> None:
        """Notes the first failure; the chief passes it on."""
        with self._changed:
            if self._failure is not None or self._left_at is not None:
                return
            if self._cluster.is_chief:
                self._broadcast(**failure_message(failure))
            self._failure, self._failed_at = failure, time.monotonic()
            self._changed.notify_all()

    def _broadcast(self, **message: Any) -> None:
        for link in list(self._links.values()):
            link.send(**message)

    def _drop(self, index: int) -> None:
        self._links.pop(index).close()


def multi_worker_strategy(connection: Connection) -> "tf.distribute.MultiWorkerMirroredStrategy":
    """Builds the strategy; it has to come before any other work of TensorFlow in this process.

    Raises:
        UserError: the workers have different versions of TensorFlow or different numbers of GPUs.
    """
    import tensorflow as tf

    cluster = connection.cluster
    num_gpus = len(tf.config.get_visible_devices("GPU"))
    connection.require_equal("the versions of tfplm and TensorFlow", [tfplm.__version__, tf.__version__])
    connection.require_equal("the number of GPUs", num_gpus)
    _keep_from_proxies(cluster)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.jobs),
        task_type=cluster.own.job,
        task_id=cluster.own.task,
        num_accelerators={"GPU": num_gpus},
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


def translate_cluster_error(error: BaseException, cluster: Cluster) -> WorkerLostError | None:
    """TensorFlow's error for a worker that it does not reach any more, in words; None for any other error."""
    if not type(error).__module__.startswith("tensorflow"):
        return None
    text = str(error)
    if type(error).__name__ not in _LOST_PEER_ERRORS and "Collective ops is aborted" not in text:
        return None
    named = {(job, int(task)) for job, task in re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", text)}
    peers = [cluster.workers[index] for index in cluster.peers]
    for worker in peers:
        if (worker.job, worker.task) in named or worker.address in text:
            return lost(worker, "TensorFlow does not reach it any more")
    suspects = peers[0] if len(peers) == 1 else f"One of {', '.join(str(worker) for worker in peers[:8])}"
    return lost(suspects, "TensorFlow does not reach it any more")


def _keep_from_proxies(cluster: Cluster) -> None:
    """Has gRPC reach the workers directly: it heeds ``http_proxy``, and would wait for ever behind a web proxy."""
    excepted = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112 – as gRPC spells it
    hosts = {worker.host for worker in cluster.workers}
    os.environ["no_grpc_proxy"] = ",".join([*filter(None, [excepted]), *sorted(hosts)])  # noqa: SIM112


def _for_others(error: BaseException) -> UserError:
    """What the other workers show of this worker's error."""
    if isinstance(error, KeyboardInterrupt):
        return UserError("it was interrupted.")
    if isinstance(error, Preempted):
        return UserError("it was asked to end (SIGTERM).", remedy="Start the same command on every worker again.")
    return explain(error) or UserError(f"{type(error).__name__}: {str(error)[:500]}")


def _come_apart(cluster: Cluster, given: dict[int, tuple[str, Any]]) -> UserError:
    places = "; ".join(f"{cluster.workers[index]} at '{name}'" for index, (name, _) in sorted(given.items())[:8])
    return UserError(
        f"The workers do not do the same: {places}.",
        remedy="Start all workers with the same command, and with an output_dir that all of them share.",
    )


def _appears(file: Path) -> bool:
    """Whether a file that another machine wrote is seen here; a network file system may take a moment."""
    until = time.monotonic() + _SHARED_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if file.name in os.listdir(file.parent):  # asks the server, where a look at the file may ask a cache
                return True
        if time.monotonic() > until:
            return False
        time.sleep(0.5)


def _wait_readable(links: Iterable[Link], seconds: float) -> None:
    poll = select.poll()
    for link in links:
        poll.register(link, select.POLLIN)
    poll.poll(seconds * 1000)
