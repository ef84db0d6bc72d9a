import sys

import pytest

from tfplm.data.file_paths import expand_package_paths, expand_paths, package_folder
from tfplm.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.txt", "a.txt", "inner/c.txt", "odd[1].txt", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "site" / "speech_corpus"
    (root / "data").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('this package must not be run')")
    (root / "data" / "1790-a.txt").write_text("a")
    (root / "data" / "1800-b.txt").write_text("b")
    (tmp_path / "site" / "secret.txt").write_text("outside")
    monkeypatch.syspath_prepend(root.parent)
    return root


def names(paths):
    return [path.as_posix() for path in paths]


def test_globs_are_sorted_and_reach_inner_folders(folder):
    assert names(expand_paths(["*.txt"])) == ["a.txt", "b.txt", "odd[1].txt"]
    assert names(expand_paths(["**/*.txt"])) == ["a.txt", "b.txt", "inner/c.txt", "odd[1].txt"]


def test_a_file_named_twice_comes_once(folder):
    (folder / "link.txt").symlink_to(folder / "a.txt")
    assert names(expand_paths(["b.txt", "./b.txt", "*.txt", str(folder / "a.txt")])) == ["b.txt", "a.txt", "odd[1].txt"]


def test_a_name_with_the_signs_of_a_glob_is_a_file_first(folder):
    assert names(expand_paths(["odd[1].txt"])) == ["odd[1].txt"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*.csv", "No file matches '*.csv'"),
        ("a.tx", "Did you mean a.txt"),
        ("nowhere/a.txt", "The folder nowhere is not there"),
        ("inner", "inner is a directory"),
        ("a" * 300, "File name too long"),
        ("/dev/null", "/dev/null is no regular file"),
    ],
)
def test_what_is_not_there_is_named(folder, pattern, said):
    with pytest.raises(UserError, match=".") as caught:
        expand_paths([pattern])
    assert said in str(caught.value)


def test_a_package_is_found_without_being_run(package):
    found = expand_package_paths("speech_corpus", ["data/*.txt"])
    assert [name for _, name in found] == ["speech_corpus/data/1790-a.txt", "speech_corpus/data/1800-b.txt"]
    assert found[0][0] == package / "data" / "1790-a.txt"
    assert package_folder("speech_corpus.data") == package / "data"
    assert "speech_corpus" not in sys.modules


@pytest.mark.parametrize("pattern", ["../secret.txt", "data/../../secret.txt", "/etc/hostname", "data\\..\\..\\x"])
def test_no_path_leaves_a_package(package, pattern):
    with pytest.raises(UserError, match="leads out of the package"):
        expand_package_paths("speech_corpus", [pattern])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_package_anywhere", "pip install no_such_package_anywhere"),
        ("csv", "no package with a folder"),
        ("../etc", "not the name of a Python package"),
        ("", "not the name of a Python package"),
    ],
)
def test_a_package_that_cannot_serve_is_explained(name, said):
    with pytest.raises(UserError) as caught:
        package_folder(name)
    assert said in str(caught.value)
