import io
import json
import socket
import threading
import time

import pytest

from tests.trainers.local_cluster import local_clusters, outcomes
from tfplm.errors import UserError
from tfplm.progress import Progress
from trainers.rendezvous import WorkerLostError, meet
from trainers.tf_config import Cluster, Worker


def meeting(cluster, timeout=20.0, after=0.0, stream=None):
    def work():
        time.sleep(after)
        links = meet(cluster, Progress.silent() if stream is None else Progress(stream), timeout)
        for link in links.values():
            link.close()
        return sorted(links)

    return work


def test_workers_that_start_at_different_times_meet():
    clusters = local_clusters(3)
    assert outcomes(*(meeting(c, after=i * 0.5) for i, c in enumerate(reversed(clusters)))) == [[0], [0], [1, 2]]


def test_nobody_goes_on_before_all_have_met():
    clusters = local_clusters(3)
    ended = []

    def noting(cluster, after=0.0):
        meeting(cluster, after=after)()
        ended.append(time.monotonic())

    start = time.monotonic()
    outcomes(*(lambda c=c, i=i: noting(c, after=0.8 * (i == 2)) for i, c in enumerate(clusters)))
    assert min(ended) - start >= 0.8


@pytest.mark.parametrize("own", [0, 1])
def test_a_worker_that_does_not_answer_is_named_with_the_time(own):
    clusters = local_clusters(2)
    start = time.monotonic()
    with pytest.raises(WorkerLostError, match=r"After 1 s") as error:
        meet(clusters[own], Progress.silent(), 1.0)
    assert time.monotonic() - start < 5
    assert f"still waits for {clusters[1 - own].own}: nothing listens there" in str(error.value)


def test_a_worker_that_gives_up_tells_the_others():
    chief, impatient, missing = local_clusters(3)
    told, raised = outcomes(meeting(chief, timeout=60.0), meeting(impatient, timeout=1.0))
    assert isinstance(raised, WorkerLostError)
    assert str(told) == str(raised)
    assert str(missing.own) in str(told)


def test_a_host_that_nobody_knows_is_told():
    own = local_clusters(1)[0].own
    cluster = Cluster((own, Worker("worker", 1, "no-such-host.invalid:2222")), index=0)
    with pytest.raises(WorkerLostError, match=r"worker 1 \(no-such-host.invalid:2222\): its name is not known"):
        meet(cluster, Progress.silent(), 0.5)


def test_a_port_in_use_is_told():
    cluster, _ = local_clusters(2)
    with (
        socket.create_server(("", cluster.own.port)),
        pytest.raises(UserError, match=f"port {cluster.own.port}.*another process uses it"),
    ):
        meet(cluster, Progress.silent(), 1.0)


def test_another_program_at_the_address_of_a_worker_is_told():
    cluster, other = local_clusters(2)
    with socket.create_server(("", other.own.port)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(WorkerLostError, match="another program answers there"):
            meet(cluster, Progress.silent(), 1.0)


def test_a_worker_of_another_cluster_is_told():
    ours, theirs = local_clusters(2), local_clusters(2)
    moved = Cluster((theirs[0].own, ours[1].own), index=1)
    told, _ = outcomes(meeting(ours[0], timeout=1.0), meeting(moved, timeout=1.5))
    assert "it has another cluster in its TF_CONFIG" in str(told)


def test_a_second_process_with_the_same_index_is_refused():
    chief, worker = local_clusters(2)
    join = json.dumps({"type": "join", "index": 1, "cluster": chief.digest}).encode() + b"\n"

    def intrude():
        time.sleep(0.5)
        with socket.create_connection((chief.own.host, chief.own.port)) as first:
            first.sendall(join)
            first.recv(4096)
            return meeting(worker)()

    refused = outcomes(meeting(chief, timeout=1.5), intrude)[1]
    assert "Another process has joined" in str(refused)


def test_a_worker_that_was_started_again_meanwhile_is_taken():
    chief, worker = local_clusters(2)
    join = json.dumps({"type": "join", "index": 1, "cluster": chief.digest}).encode() + b"\n"

    def start_twice():
        time.sleep(0.3)
        with socket.create_connection((chief.own.host, chief.own.port)) as first:
            first.sendall(join)
            first.recv(4096)
        return meeting(worker)()

    assert outcomes(meeting(chief), start_twice) == [[1], [0]]


def test_strangers_do_no_harm():
    chief, worker = local_clusters(2)

    def knock_first():
        time.sleep(0.3)
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"type": "join"}\n'):
            with socket.create_connection((chief.own.host, chief.own.port)) as stranger:
                stranger.sendall(words)
        return meeting(worker)()

    assert outcomes(meeting(chief), knock_first) == [[1], [0]]


def test_who_waits_says_for_whom(monkeypatch):
    monkeypatch.setattr("trainers.rendezvous._FIRST_WORDS_SECONDS", 0.2)
    clusters = local_clusters(2)
    stream = io.StringIO()
    outcomes(meeting(clusters[0], stream=stream), meeting(clusters[1], after=1.0))
    assert f"waiting for {clusters[1].own}: nothing listens there; giving up after 20 s" in stream.getvalue()
