"""How the workers of a cluster find each other before TensorFlow starts.

Each listens at its own address of TF_CONFIG, where TensorFlow will listen afterwards, and looks for all others. The
links between the chief and the others stay open when the listeners close; they need no port of their own.
"""

import contextlib
import errno
import json
import select
import socket
import threading
import time
import uuid
from typing import Any

from tfplm.errors import UserError
from tfplm.progress import Progress
from trainers.tf_config import Cluster, Worker

_ANSWER_SECONDS = 3.0  # for one attempt to reach a worker
_SEND_SECONDS = 10.0
_FIRST_WORDS_SECONDS = 5.0  # of waiting
_MAX_MESSAGE_BYTES = 1 << 24
_RESTART = "Then start the same command on every worker again: it goes on from the last checkpoint."


class WorkerLostError(UserError):
    """Another worker has ended or does not answer; nothing is wrong with this one."""


class Link:
    """Messages to and from one other process: JSON objects, one a line, over TCP. Thread-safe for sending."""

    def __init__(self, connection: socket.socket):
        connection.settimeout(_SEND_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._lines = b""
        self._sending = threading.Lock()
        self.heard_at = time.monotonic()

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, **message: Any) -> None:
        """Sends a message. A broken connection is noticed by who receives."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float = 0.0) -> dict[str, Any] | None:
        """Returns the next message, or None if there is none within ``seconds``.

        Raises:
            ConnectionError: the connection has ended, or the other side speaks something else.
        """
        until = time.monotonic() + seconds
        while b"\n" not in self._lines:
            if len(self._lines) > _MAX_MESSAGE_BYTES:
                raise ConnectionError("a message without end")
            if not _is_readable(self._connection, until - time.monotonic()):
                return None
            received = self._connection.recv(1 << 16)
            if not received:
                raise ConnectionError("the connection has ended")
            self.heard_at = time.monotonic()
            self._lines += received
        line, _, self._lines = self._lines.partition(b"\n")
        return _message(line)

    def is_open(self) -> bool:
        """Whether the other side has not ended the connection."""
        with contextlib.suppress(OSError):
            return not _is_readable(self._connection, 0.0) or bool(self._connection.recv(1, socket.MSG_PEEK))
        return False

    def end(self) -> None:
        """Says that nothing more is sent; what was sent still arrives."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._connection.close()


def meet(cluster: Cluster, progress: Progress, timeout: float) -> dict[int, Link]:
    """Waits until every worker reaches every other.

    Args:
        cluster: the workers, and which of them this process is.
        progress: is told whom it waits for.
        timeout: seconds to wait for the others, which may start later.

    Returns:
        The open links by place in the cluster: to all others on the chief, to the chief on the others.

    Raises:
        UserError: this worker's port is taken, or its address belongs to another process or to none.
        WorkerLostError: a worker did not answer in time, or gave up.
    """
    with _Door(cluster) as door:
        door.check_own_address()
        side = _ChiefSide(cluster, door) if cluster.is_chief else _WorkerSide(cluster, timeout)
        try:
            _search(side, cluster, progress, timeout)
        except UserError as error:
            for link in side.links().values():
                link.send(**failure_message(failed(cluster.own, error)))
                link.end()
            raise
        return side.links()


def failed(worker: Worker, error: UserError) -> WorkerLostError:
    """The error on the other workers for one that ``worker`` ended with."""
    if isinstance(error, WorkerLostError):
        return error
    return WorkerLostError(f"{worker} has failed: {error.found}", error.expected, error.remedy)


def lost(worker: Worker | str, how: str) -> WorkerLostError:
    """The error for a worker that has gone without a word."""
    return WorkerLostError(f"{worker} is lost: {how}.", remedy=f"Its own output may tell why. {_RESTART}")


def failure_message(failure: UserError) -> dict[str, str]:
    """The message that tells others of a failure."""
    return {"type": "failed", "found": failure.found, "expected": failure.expected, "remedy": failure.remedy}


def told_failure(message: dict[str, str]) -> WorkerLostError:
    """The failure that such a message tells of."""
    return WorkerLostError(message["found"], message["expected"], message["remedy"])


class _Door:
    """Answers at this worker's address for as long as the workers look for each other."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._listener = _listen(cluster.own)
        self._nonce = uuid.uuid4().hex
        self._joined: dict[int, Link] = {}
        self._lock = threading.Lock()
        self._is_closing = threading.Event()

    def __enter__(self) -> "_Door":
        self._thread = threading.Thread(target=self._answer_all, name="rendezvous", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing.set()
        self._thread.join()
        self._listener.close()

    def joined(self) -> dict[int, Link]:
        """The links of the workers that have come to stay."""
        with self._lock:
            return dict(self._joined)

    def forget(self, index: int, link: Link) -> None:
        """Makes room for a worker that has ended and may be started again."""
        with self._lock:
            if self._joined.get(index) is link:
                del self._joined[index]
        link.close()

    def check_own_address(self) -> None:
        """Raises UserError where another process answers at the address that TF_CONFIG gives to this one."""
        own = self._cluster.own
        try:
            with contextlib.closing(_connect(own)) as link:
                answer = _ask(link, self._cluster, "look")
        except OSError:
            return  # not everyone can reach itself from within; whether others can is seen soon
        if answer["nonce"] != self._nonce:
            raise UserError(
                f"TF_CONFIG makes this process {own}, but another process answers at that address.",
                remedy="Give each worker the task index of its own machine, and start it once.",
            )

    def _answer_all(self) -> None:
        while not self._is_closing.is_set():
            if _is_readable(self._listener, 0.1):
                with contextlib.suppress(OSError):
                    connection, _ = self._listener.accept()
                    threading.Thread(target=self._answer, args=(Link(connection),), daemon=True).start()

    def _answer(self, link: Link) -> None:
        stays = False
        try:
            question = link.receive(_ANSWER_SECONDS)
            if question is not None and {"type", "index", "cluster"} <= question.keys():
                is_join = question["type"] == "join" and question["cluster"] == self._cluster.digest
                stays = is_join and self._take_in(question["index"], link)
                place = {
                    "type": "place",
                    "index": self._cluster.index,
                    "cluster": self._cluster.digest,
                    "nonce": self._nonce,
                }
                link.send(**place, is_taken=is_join and not stays)
        except ConnectionError:  # a stranger
            pass
        if not stays:
            link.close()

    def _take_in(self, index: int, link: Link) -> bool:
        with self._lock:
            before = self._joined.get(index)
            if before is not None and before.is_open():
                return False
            self._joined[index] = link
            return True


class _ChiefSide:
    """What the chief waits for: every other worker joins, and says that it has reached all the others."""

    def __init__(self, cluster: Cluster, door: _Door):
        self._cluster, self._door = cluster, door
        self._ready: set[Link] = set()

    def links(self) -> dict[int, Link]:
        return self._door.joined()

    def look(self, index: int) -> None:
        with contextlib.closing(_connect(self._cluster.workers[index])) as link:
            _check_identity(_ask(link, self._cluster, "look"), self._cluster, index)

    def is_complete(self, unreached: dict[int, str]) -> bool:
        for index, link in self._door.joined().items():
            try:
                message = link.receive()
            except ConnectionError:
                self._door.forget(index, link)
                continue
            if message and message["type"] == "failed":
                raise told_failure(message)
            if message and message["type"] == "ready":
                self._ready.add(link)
        if unreached or self.still_missing():
            return False
        for link in self._door.joined().values():
            link.send(type="go")
        return True

    def still_missing(self) -> dict[int, str]:
        """Why the chief waits for workers that it has reached."""
        joined = self._door.joined()
        return {
            index: "it does not reach all the others" if index in joined else "it has not joined"
            for index in self._cluster.peers
            if joined.get(index) not in self._ready
        }


class _WorkerSide:
    """What another worker waits for: it joins the chief, looks for all the others, and the chief says go."""

    def __init__(self, cluster: Cluster, timeout: float):
        self._cluster = cluster
        self._link: Link | None = None
        self._is_ready = False

    def links(self) -> dict[int, Link]:
        return {} if self._link is None else {0: self._link}

    def look(self, index: int) -> None:
        link = _connect(self._cluster.workers[index])
        try:
            answer = _ask(link, self._cluster, "look" if index else "join")
            _check_identity(answer, self._cluster, index)
        except BaseException:
            link.close()
            raise
        if index:
            link.close()
        else:
            self._keep(link, answer)

    def is_complete(self, unreached: dict[int, str]) -> bool:
        if self._link is None:
            return False
        if not unreached and not self._is_ready:
            self._link.send(type="ready")
            self._is_ready = True
        try:
            message = self._link.receive()
        except ConnectionError as error:
            raise lost(self._cluster.chief, "it ended while the workers looked for each other") from error
        if message and message["type"] == "failed":
            raise told_failure(message)
        return message is not None and message["type"] == "go"

    def still_missing(self) -> dict[int, str]:
        """Why this worker waits though it has reached all others."""
        return {0: "it waits for others"}

    def _keep(self, link: Link, answer: dict[str, Any]) -> None:
        if answer["is_taken"]:
            link.close()
            raise UserError(
                f"Another process has joined {self._cluster.chief} as {self._cluster.own} already.",
                remedy="Give each worker the task index of its own machine, and start it once.",
            )
        self._link = link


def _search(side: _ChiefSide | _WorkerSide, cluster: Cluster, progress: Progress, timeout: float) -> None:
    """Looks for the others again and again until the side is complete."""
    start = time.monotonic()
    unreached = dict.fromkeys(cluster.peers, "not tried")
    next_words = start + _FIRST_WORDS_SECONDS
    while True:
        unreached = {index: why for index in unreached if (why := _reason_unreached(side, index))}
        if side.is_complete(unreached):
            return
        waited = time.monotonic() - start
        missing = unreached or side.still_missing()
        # who has reached all others leaves it to the chief to give up first
        if waited > timeout + (0.0 if unreached or cluster.is_chief else 2 * _ANSWER_SECONDS + timeout):
            raise _missing(cluster, missing, waited)
        if time.monotonic() > next_words:
            next_words = time.monotonic() + 30.0
            progress.message(f"waiting for {_list(cluster, missing)}; giving up after {timeout:.0f} s")
        time.sleep(0.1 if waited < 5 else 0.5)


def _reason_unreached(side: _ChiefSide | _WorkerSide, index: int) -> str:
    """Looks for one worker once; says why it was not reached, or nothing."""
    try:
        side.look(index)
    except socket.gaierror:
        return "its name is not known"
    except TimeoutError:
        return "no answer"
    except ConnectionRefusedError:
        return "nothing listens there"
    except ConnectionError as error:
        return str(error) or "the connection broke"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _missing(cluster: Cluster, reasons: dict[int, str], waited: float) -> WorkerLostError:
    return WorkerLostError(
        f"After {waited:.0f} s {cluster.own} still waits for {_list(cluster, reasons)}.",
        "Every worker has to run, and to be reached by all others at its address in TF_CONFIG.",
        "Look at the output of those workers, at the addresses and at the firewall. " + _RESTART,
    )


def _list(cluster: Cluster, reasons: dict[int, str]) -> str:
    shown = [f"{cluster.workers[index]}: {reason}" for index, reason in list(reasons.items())[:8]]
    more = f"; {len(reasons) - len(shown)} more" if len(reasons) > len(shown) else ""
    return "; ".join(shown) + more


def _check_identity(answer: dict[str, Any], cluster: Cluster, index: int) -> None:
    if answer["cluster"] != cluster.digest:
        raise ConnectionError("it has another cluster in its TF_CONFIG")
    if answer["index"] != index:
        raise ConnectionError(f"the process there says that it is {cluster.workers[answer['index']].name}")


def _listen(own: Worker) -> socket.socket:
    """Listens on every interface, as TensorFlow will: the name in TF_CONFIG may be one that others see."""
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        return socket.create_server(("", own.port), family=family, dualstack_ipv6=dual, backlog=1024)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        raise UserError(
            f"This process cannot listen on port {own.port}, which TF_CONFIG gives to {own}: "
            f"{'another process uses it' if in_use else error.strerror}.",
            remedy="End that process, or give this worker another port in the TF_CONFIG of every worker.",
        ) from error


def _connect(worker: Worker) -> Link:
    return Link(socket.create_connection((worker.host, worker.port), timeout=_ANSWER_SECONDS))


def _ask(link: Link, cluster: Cluster, what: str) -> dict[str, Any]:
    """Greets a worker, to look or to join, and returns its answer."""
    link.send(type=what, index=cluster.index, cluster=cluster.digest)
    answer = link.receive(_ANSWER_SECONDS)
    if answer is None:
        raise TimeoutError
    if not answer.keys() >= {"index", "cluster", "nonce"}:
        raise ConnectionError("another program answers there")
    return answer


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict) or "type" not in message:
        raise ConnectionError("another program answers there")
    return message


def _is_readable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(max(seconds, 0.0) * 1000))
