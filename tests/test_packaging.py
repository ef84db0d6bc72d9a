import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import tfplm
from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig

ROOT = Path(__file__).parent.parent
PACKAGES = ("tfplm", "trainers", "export")
CONFIGS = sorted(ROOT.glob("configs/**/*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shipped_configuration_is_valid(path):
    assert load_config(ExperimentConfig, path).output_dir


def test_configurations_are_shipped():
    assert CONFIGS


@pytest.mark.parametrize("page", sorted(ROOT.glob("README*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda p: p.name)
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    in_tree = re.findall(r"(?<![\w./-])((?:configs|docs|tests|benchmarks|tfplm|trainers|export|\.ci)/[\w./-]*\w)", text)
    linked = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    missing = {path for path in in_tree if not (ROOT / path).exists()}
    missing |= {path for path in linked if not (page.parent / path).exists()}
    assert not missing


def test_every_exported_name_can_be_imported():
    for name in tfplm.__all__:
        assert getattr(tfplm, name).__name__ == name
        assert name in dir(tfplm)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Brt'"):
        tfplm.Brt  # noqa: B018


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of a copy of the checkout, so that no build folder is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in PACKAGES:
        copytree(ROOT / name, checkout / name, ignore=ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, "."]
    subprocess.run(command, cwd=checkout, check=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_wheel_holds_every_module_and_nothing_else(wheel):
    modules = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert in_wheel == modules | {"tfplm/py.typed"}


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_wheel_carries_version_licence_and_command(wheel):
    information = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")).removesuffix(
        "METADATA"
    )
    described = wheel.read(f"{information}METADATA").decode()
    assert f"Version: {tfplm.__version__}\n" in described
    assert set(re.search(r"^Requires-Python: (.+)$", described, re.M)[1].split(",")) == {">=3.11", "<3.14"}
    assert any(name.endswith("LICENSE") for name in wheel.namelist())
    entry_points = ConfigParser()
    entry_points.read_string(wheel.read(f"{information}entry_points.txt").decode())
    assert entry_points["console_scripts"]["tfplm"] == "tfplm.cli:main"


def test_wheel_answers_away_from_the_checkout(wheel, tmp_path):
    wheel.extractall(tmp_path / "installed")
    answer = subprocess.run(
        [sys.executable, "-m", "tfplm", "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout == f"tfplm {tfplm.__version__}\n"


def test_installed_version_is_that_of_the_code():
    try:
        installed = metadata.version("tfplm")
    except metadata.PackageNotFoundError:
        pytest.skip("run from a checkout that is not installed")
    assert installed == tfplm.__version__
