import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WITHOUT_TENSORFLOW = [
    "tfplm",
    "tfplm.cli",
    "tfplm.config",
    "tfplm.errors",
    "tfplm.experiment",
    "tfplm.failures",
    "tfplm.feature_names",
    "tfplm.progress",
    "tfplm.run_directory",
    *sorted(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in ROOT.glob("tfplm/**/configuration.py")
    ),
]
HEAVY = ("tensorflow", "tensorflow_text", "keras", "keras_hub", "numpy", "jax", "sklearn", "pyarrow")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after the statement."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, cwd=ROOT.anchor
    )
    return {name.partition(".")[0] for name in answer.stdout.split()}


@pytest.mark.parametrize("module", WITHOUT_TENSORFLOW)
def test_module_with_configuration_imports_nothing_heavy(module):
    assert not loaded_after(f"import {module}") & set(HEAVY)


def test_configurations_are_found_in_every_package_that_has_them():
    packages = {name.split(".")[1] for name in WITHOUT_TENSORFLOW if name.endswith(".configuration")}
    assert packages >= {"data", "models", "tasks", "tokenizers"}


def test_exported_configuration_classes_import_nothing_heavy():
    names = "tfplm.BertConfig, tfplm.ExperimentConfig, tfplm.UserError, tfplm.load_config"
    assert not loaded_after(f"import tfplm; {names}") & set(HEAVY)


def test_import_contracts_hold():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("file", "is_banned"),
    [
        ("tfplm/layers/example.py", True),
        ("tfplm/models/example.py", True),
        ("tfplm/tasks/example.py", True),
        ("tfplm/tokenizers/example.py", False),
        ("tfplm/data/example.py", False),
        ("trainers/example.py", False),
        ("export/example.py", False),
    ],
)
def test_tensorflow_is_banned_where_keras_ops_suffice(file, is_banned):
    answer = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--stdin-filename", file, "-"],
        cwd=ROOT,
        input="import tensorflow as tf\nfrom tensorflow import function\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.stdout.count("TID251") == (2 if is_banned else 0), answer.stdout + answer.stderr
