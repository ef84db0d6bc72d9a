"""Byte-level BPE that tfplm writes against what `transformers` reads."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tfplm.interop.tokenizers.byte_level_bpe import read_byte_level_bpe, write_byte_level_bpe
from tfplm.tokenizers.byte_level_bpe import BYTE_SIGNS, ByteLevelBpeTokenizer
from tfplm.tokenizers.configuration import ByteLevelBpeConfig

transformers = pytest.importorskip("transformers")

TEXTS = [
    "The citizens don't elect 1234 representatives.\n\n  Naïve 👍🏽!",
    "中国人民的生活水平不断提高，人民生活越来越好。",
]
TRICKY = [*TEXTS, "", "DON'T 12345  x\t\n y", "e\u0301 <s> <|endoftext|>", "\u3000中国\x00", "the</s>"]
SPECIAL = ["<s>", "</s>", "<pad>", "<mask>"]
SETTINGS = {
    "gpt2": ("gpt2", {}),
    "roberta": ("gpt2", {"prefix_ids": [0], "suffix_ids": [1], "pad_id": 2, "mask_id": 3}),
    "llama": ("llama3", {"prefix_ids": [0], "ignore_merges": True}),
    "mistral": ("digits", {}),
    "qwen2": ("qwen2", {"normalize": True}),
}


@pytest.fixture(scope="module")
def trained():
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=350, initial_alphabet=list(BYTE_SIGNS), special_tokens=SPECIAL)
    reference.train_from_iterator(TEXTS * 3, trainer)
    vocabulary = sorted(reference.get_vocab(), key=reference.get_vocab().get)
    return vocabulary, [tuple(merge) for merge in json.loads(reference.to_str())["model"]["merges"]]


@pytest.mark.parametrize("model_type", SETTINGS)
@pytest.mark.parametrize("with_config", [True, False])
def test_auto_tokenizer_gives_our_ids_and_special_tokens(model_type, with_config, trained, tmp_path):
    vocabulary, merges = trained
    pattern, settings = SETTINGS[model_type]
    config = ByteLevelBpeConfig(
        vocabulary_size=len(vocabulary), pattern=pattern, start_id=0, end_id=1, special_ids=[0, 1, 2, 3], **settings
    )
    ours = ByteLevelBpeTokenizer(vocabulary, merges, config)
    write_byte_level_bpe(ours, tmp_path, 128)
    if with_config:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, split_special_tokens=True)
    for text, ids in zip(TRICKY, ours.encode(TRICKY), strict=True):
        assert theirs(text)["input_ids"] == [*ours.prefix_ids, *ids, *ours.suffix_ids], repr(text)
        assert theirs.decode(ids) == ours.decode(ids)
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.mask_token_id) == (0, 1, ours.mask_id)
    assert theirs.pad_token_id == (None if ours.config.pad_id < 0 else ours.pad_id)
    assert (len(theirs), theirs.model_max_length) == (len(vocabulary), 128)


@pytest.mark.parametrize("kind", ["GPT2Tokenizer", "RobertaTokenizer", "Qwen2Tokenizer"])
def test_a_folder_of_transformers_gives_its_ids(kind, trained, tmp_path):
    vocabulary, merges = trained
    names = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<s>", "bos_token": "<s>"}
    names |= {"cls_token": "<s>", "sep_token": "</s>"} if kind.startswith("Roberta") else {}
    ids = {token: index for index, token in enumerate(vocabulary)}
    theirs = getattr(transformers, kind)(vocab=ids, merges=merges, **names)
    theirs.save_pretrained(tmp_path)
    ours = read_byte_level_bpe(tmp_path)
    for text, ids in zip(TRICKY, ours.encode(TRICKY), strict=True):
        expected = theirs(text, split_special_tokens=True)["input_ids"]
        assert expected == [*ours.prefix_ids, *ids, *ours.suffix_ids], repr(text)
    assert (ours.start_id, ours.end_id, ours.pad_id) == (0, 1, 2)
