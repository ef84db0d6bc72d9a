import os
import subprocess
import sys

import pytest

from tfplm.errors import UserError
from tfplm.interop.hub import resolve_source

COMMIT = "a" * 40


def test_a_path_is_taken_as_it_stands(tmp_path, monkeypatch):
    (tmp_path / "bert_model.ckpt.index").touch()
    monkeypatch.chdir(tmp_path.parent)
    assert resolve_source(tmp_path.name, None).resolve() == tmp_path
    assert resolve_source(str(tmp_path / "bert_model.ckpt"), None) == tmp_path / "bert_model.ckpt"
    with pytest.raises(UserError, match="has no revisions"):
        resolve_source(str(tmp_path), "main")


def test_a_folder_of_an_installed_package_is_found_without_running_it(tmp_path, monkeypatch):
    (tmp_path / "some_weights" / "model").mkdir(parents=True)
    (tmp_path / "some_weights" / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_source("package:some_weights.model", None) == tmp_path / "some_weights" / "model"
    with pytest.raises(UserError, match="'some_weights.other' is installed but is no package"):
        resolve_source("package:some_weights.other", None)
    with pytest.raises(UserError, match="(?s)'no_such_weights' is not installed.*pip install no_such_weights"):
        resolve_source("package:no_such_weights", None)


@pytest.mark.parametrize("source", ["../nowhere", "/nowhere/at/all", "a/b/c", "owner/..", "https://x.y/z", ""])
def test_what_is_no_path_and_no_name_is_a_user_error(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if source:
        with pytest.raises(UserError, match="There is no"):
            resolve_source(source, COMMIT)


@pytest.mark.parametrize("name", ["gpt2", "owner/some-model.v1"])
def test_the_hub_is_asked_for_a_revision_only(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"(?s)no folder {name}.*--revision.*{name}/commits/main"):
        resolve_source(name, None)


def run(code, **environment):
    """The hub reads its environment when it is imported: so a process of its own."""
    environment = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment}
    command = [sys.executable, "-c", f"from tfplm.interop.hub import resolve_source\n{code}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def write_cache(home):
    """A snapshot as the hub's cache has it: links to blobs, and the commit by tag."""
    repository = home / "hub" / "models--owner--name"
    (repository / "blobs").mkdir(parents=True)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "v1").write_text(COMMIT)
    (repository / "blobs" / "1234").write_text("{}")
    (repository / "snapshots" / COMMIT / "config.json").symlink_to("../../blobs/1234")
    return repository / "snapshots" / COMMIT


def test_offline_the_cache_is_read_by_commit_and_by_tag(tmp_path):
    pytest.importorskip("huggingface_hub")
    snapshot = write_cache(tmp_path)
    code = f"print(resolve_source('owner/name', '{COMMIT}'))\nprint(resolve_source('owner/name', 'v1'))"
    done = run(code, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(snapshot)] * 2


REPORT = """
from tfplm.errors import UserError
try:
    resolve_source('owner/other', 'v1')
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "the Hub is switched off (HF_HUB_OFFLINE)"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "there is no way to the Hub"),
    ],
)
def test_without_a_network_the_message_says_so(tmp_path, environment, message):
    pytest.importorskip("huggingface_hub")
    done = run(REPORT, HF_HOME=str(tmp_path), **environment)
    assert message in done.stdout, done.stderr
    assert "owner/other at revision v1 cannot be had" in done.stdout


def test_without_huggingface_hub_the_message_says_what_to_install(tmp_path):
    done = run(f"import sys\nsys.modules['huggingface_hub'] = None\n{REPORT}", HF_HOME=str(tmp_path))
    assert 'pip install "tfplm[hub]"' in done.stdout, done.stderr
