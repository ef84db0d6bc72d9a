import json
import subprocess
import sys

import pytest

from tfplm.errors import UserError
from trainers.tf_config import read_cluster, require_cluster

TWO = {"worker": ["a:2222", "b:2222"]}


def environ(cluster, job="worker", index=0, **other):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": index}, **other})}


@pytest.mark.parametrize("variables", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, environ({}, "chief")])
def test_without_a_cluster_the_process_is_alone(variables):
    assert read_cluster(variables) is None


def test_the_first_worker_is_the_chief_where_none_is_named():
    cluster = read_cluster(environ(TWO, index=0))
    assert cluster.is_chief
    assert cluster.num_workers == 2
    assert not read_cluster(environ(TWO, index=1)).is_chief


def test_kubernetes_names_a_chief():
    hosts = {
        "chief": ["job-chief-0.ns.svc:2222"],
        "worker": ["job-worker-0.ns.svc:2222", "job-worker-1.ns.svc:2222"],
    }
    cluster = read_cluster(environ(hosts, "worker", 1, environment="cloud"))
    assert cluster.index == 2
    assert str(cluster.chief) == "chief (job-chief-0.ns.svc:2222)"
    assert str(cluster.own) == "worker 1 (job-worker-1.ns.svc:2222)"
    assert cluster.jobs == hosts
    assert cluster.peers == [0, 1]


def test_vertex_ai_adds_keys_of_its_own():
    config = {
        "cluster": {
            "chief": ["cmle-training-workerpool0-ab-0:2222"],
            "worker": ["cmle-training-workerpool1-ab-0:2222"],
        },
        "environment": "cloud",
        "task": {"type": "chief", "index": "0", "trial": "", "cloud": "ab"},
        "job": {"scale_tier": "custom"},
    }
    cluster = read_cluster({"TF_CONFIG": json.dumps(config)})
    assert cluster.is_chief
    assert (cluster.own.host, cluster.own.port) == ("cmle-training-workerpool0-ab-0", 2222)


def test_all_workers_know_their_cluster_by_the_same_digest():
    digests = {read_cluster(environ(TWO, index=index)).digest for index in (0, 1)}
    assert len(digests) == 1
    assert read_cluster(environ({"worker": ["a:2222", "c:2222"]})).digest not in digests


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TF_CONFIG": "{'cluster': 1}"}, "is not JSON"),
        ({"TF_CONFIG": "[1]"}, "not a JSON object"),
        ({"TF_CONFIG": '{"clutser": {}}'}, "no 'cluster'"),
        (environ({"worker": "a:2222"}), "one list of addresses"),
        (environ({"worker": {"0": "a:2222"}}), "one list of addresses"),
        (environ({"worker": ["a:2222", "a"]}), "worker 1 the address 'a'"),
        (environ({"worker": ["http://a:2222"]}), "not host:port"),
        (environ({"worker": ["a:70000"]}), "not host:port"),
        (environ({"worker": [2222]}), "not host:port"),
        (environ({"worker": ["a:1", "b:1", "a:1"]}), "a:1 to several workers"),
        (environ({"chief": ["a:1"], "worker": ["a:1"]}), "a:1 to several workers"),
        (environ({**TWO, "ps": ["c:2222"]}), "parameter servers"),
        (environ({**TWO, "master": ["c:2222"]}), "a master"),
        (environ({**TWO, "wroker": ["c:2222"]}), "unknown job 'wroker'"),
        (environ({"chief": ["a:1", "b:1"]}, "chief"), "2 chiefs"),
        (environ({"worker": []}), "neither a chief nor workers"),
        (environ(TWO, index=2), "worker 2, which is not in its cluster"),
        (environ(TWO, "chief"), "chief 0, which is not in its cluster"),
        (environ(TWO, "evaluator"), "an evaluator"),
        ({"TF_CONFIG": json.dumps({"cluster": TWO})}, "which task this process is"),
        ({"TF_CONFIG": json.dumps({"cluster": TWO, "task": {"type": "worker"}})}, "which task this process is"),
    ],
)
def test_a_wrong_description_is_refused(variables, message):
    with pytest.raises(UserError, match="TF_CONFIG") as refusal:
        read_cluster(variables)
    assert message in str(refusal.value)


def test_a_cluster_that_was_asked_for_has_to_be_there():
    with pytest.raises(UserError, match="TF_CONFIG names no cluster"):
        require_cluster({})
    assert require_cluster(environ(TWO)).num_workers == 2


def test_reading_and_meeting_need_no_tensorflow():
    program = "import sys, trainers.tf_config, trainers.cluster; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
