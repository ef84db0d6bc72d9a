"""Texts that a run keeps for the proof at the end of an export."""

import json
from collections.abc import Sequence

import numpy as np

from tfplm.run_directory import RunDirectory, write_text

EXAMPLES_FILE = "examples.json"
NUM_PARITY_TEXTS = 64


def write_parity_texts(run: RunDirectory, texts: Sequence[str]) -> None:
    """Writes ``examples.json``: up to 64 texts that stand evenly apart, as the model is given them."""
    places = np.linspace(0, len(texts) - 1, min(NUM_PARITY_TEXTS, len(texts))).astype(int)
    chosen = [texts[place] for place in places]
    write_text(run.path / EXAMPLES_FILE, json.dumps(chosen, ensure_ascii=False, indent=0))
