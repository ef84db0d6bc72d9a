import json
import random

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.tfplm.tokenizers.conftest import TEXTS
from tests.tfplm.tokenizers.spans import check_edges, check_order, spans_of
from tfplm.errors import UserError
from tfplm.tokenizers.byte_level_bpe import BYTE_SIGNS, ByteLevelBpeTokenizer, parse_merges
from tfplm.tokenizers.configuration import ByteLevelBpeConfig
from tfplm.tokenizers.loading import load_tokenizer

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<mask>"]
KINDS = ["gpt2", "gpt2 with a space before", "digits", "llama3", "llama3 without merging words", "qwen2"]


def _splitter(pattern: str, add_prefix_space: bool) -> pre_tokenizers.PreTokenizer:
    if pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    expression = LLAMA3 if pattern == "llama3" else LLAMA3.replace("{1,3}", "")
    first = pre_tokenizers.Split(Regex(expression), "isolated")
    if pattern == "digits":
        first = pre_tokenizers.Digits(individual_digits=True)
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "digits")
    return pre_tokenizers.Sequence([first, last])


def _trained(kind: str) -> Tokenizer:
    """The reference, with a vocabulary of its own."""
    pattern = kind.split()[0]
    reference = Tokenizer(models.BPE(ignore_merges="without" in kind))
    reference.pre_tokenizer = _splitter(pattern, "space" in kind)
    reference.normalizer = normalizers.NFC() if pattern == "qwen2" else None
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    texts = [*TEXTS, "don't we've I'M it's 1234567 \n\n  x!!! 👍🏽 é 12 中国人民"] * 2
    reference.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=450, initial_alphabet=alphabet))
    reference.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    reference.encode_special_tokens = True
    return reference


def _of_reference(reference: Tokenizer, **settings) -> ByteLevelBpeTokenizer:
    vocabulary = sorted(reference.get_vocab(), key=reference.get_vocab().get)
    merges = [tuple(merge) for merge in json.loads(reference.to_str())["model"]["merges"]]
    end, mask = (reference.token_to_id(token) for token in SPECIAL)
    ids = {"start_id": end, "end_id": end, "mask_id": mask, "special_ids": [end, mask]}
    config = ByteLevelBpeConfig(vocabulary_size=len(vocabulary), **ids, **settings)
    return ByteLevelBpeTokenizer(vocabulary, merges, config)


def _ours(kind: str, reference: Tokenizer) -> ByteLevelBpeTokenizer:
    pattern = kind.split()[0]
    options = {"add_prefix_space": "space" in kind, "ignore_merges": "without" in kind, "normalize": pattern == "qwen2"}
    return _of_reference(reference, pattern=pattern, **options)


@pytest.fixture(scope="module")
def pairs():
    references = {kind: _trained(kind) for kind in KINDS}
    return {kind: (_ours(kind, reference), reference) for kind, reference in references.items()}


@pytest.fixture(scope="module")
def tricky(stress_texts):
    generator = random.Random(3)
    signs = [*" \n\r\t  ''''sStTrReEvVlLmMdDaſ!?.19٣½中人é\u0301\u00a0\u3000\u200d👍\x00\x85\x1c", *SPECIAL, "'re"]
    drawn = ["".join(generator.choices(signs, k=generator.randrange(40))) for _ in range(1000)]
    few = ["".join(generator.choices(" \n\t'sa1!", k=generator.randrange(12))) for _ in range(1000)]
    long = ["".join(generator.choices("the citizens"[:n], k=3000)) for n in (1, 2, 3, 12)]
    return [*stress_texts, *drawn, *few, *long, "0" * 1000, " " * 1000, "中国" * 500]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_reference(kind, pairs, tricky):
    tokenizer, reference = pairs[kind]
    for text, ids in zip(tricky, tokenizer.encode(tricky), strict=True):
        assert ids.tolist() == reference.encode(text, add_special_tokens=False).ids, repr(text)


def test_bytes_that_are_no_utf8_are_encoded_as_python_reads_them(pairs):
    tokenizer, reference = pairs["llama3"]
    generator = random.Random(5)
    texts = [generator.randbytes(generator.randrange(30)) + b" the\xe4\xb8" for _ in range(200)]
    for text, ids in zip(texts, tokenizer.encode_ragged(texts).to_list(), strict=True):
        assert ids == reference.encode(text.decode("utf-8", "replace")).ids, text


@pytest.mark.parametrize("seed", range(6))
def test_merges_in_any_order_give_the_ids_of_the_reference(seed):
    """Merges of Llama 3 can make a token that a merge of a lower rank needs."""
    generator = random.Random(seed)
    tokens, merges = list("abcd"), {}
    for _ in range(40):
        left, right = generator.choices(tokens, k=2)
        merges.setdefault((left, right))
        tokens.append(left + right)
    vocabulary = list(dict.fromkeys([*BYTE_SIGNS, *tokens]))
    pairs = generator.sample(list(merges), len(merges))
    config = ByteLevelBpeConfig(vocabulary_size=len(vocabulary), pattern="gpt2", start_id=0, end_id=0)
    tokenizer = ByteLevelBpeTokenizer(vocabulary, pairs, config)
    reference = Tokenizer(models.BPE({token: index for index, token in enumerate(vocabulary)}, pairs))
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = ["".join(generator.choices("abcd", k=generator.randrange(1, 60))) for _ in range(300)]
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        assert ids.tolist() == reference.encode(text).ids, text


def test_text_comes_back_exactly_where_nothing_is_normalized(pairs, tricky):
    for kind in ("gpt2", "digits", "llama3"):
        tokenizer = pairs[kind][0]
        assert tokenizer.is_lossless
        encoded = tokenizer.encode(tricky)
        assert [tokenizer.decode(ids) for ids in encoded] == tricky
        assert [tokenizer.token_bytes[ids].sum() for ids in encoded] == [len(text.encode()) for text in tricky]
        rows = tf.ragged.constant([ids.tolist() for ids in encoded[:200]], dtype=tf.int32).to_tensor(-1)
        assert [text.decode() for text in tokenizer.decode_strings(rows).numpy()] == tricky[:200]


def test_a_tokenizer_that_changes_text_says_so(pairs):
    for kind in ("qwen2", "gpt2 with a space before"):
        assert not pairs[kind][0].is_lossless
        assert pairs[kind][0].token_bytes is None
    assert pairs["qwen2"][0].decode(pairs["qwen2"][0].encode(["e\u0301"])[0]) == "\u00e9"


def test_no_text_gives_a_special_id_and_special_ids_give_no_text(pairs, tricky):
    for tokenizer, _ in pairs.values():
        assert not np.isin(np.concatenate(tokenizer.encode(tricky)), tokenizer.special_ids).any()
        assert tokenizer.decode([*tokenizer.special_ids, -1, 10**6, *tokenizer.encode(["the"])[0]]).strip() == "the"


def test_a_merge_that_makes_a_special_token_is_left_out():
    vocabulary = [*BYTE_SIGNS, "ab"]
    config = ByteLevelBpeConfig(vocabulary_size=257, pattern="gpt2", start_id=256, end_id=256, special_ids=[256])
    for ignore_merges in (False, True):
        changed = config.model_copy(update={"ignore_merges": ignore_merges})
        assert len(ByteLevelBpeTokenizer(vocabulary, [("a", "b")], changed).encode(["ab"])[0]) == 2


def test_no_texts_and_empty_texts_give_no_ids(pairs):
    for tokenizer, _ in pairs.values():
        assert tokenizer.encode([]) == []
        assert tokenizer.encode_ragged(tf.constant([], tf.string)).shape[0] == 0
        assert [ids.tolist() for ids in tokenizer.encode(["", ""])] == [[], []]
        assert tokenizer.encode_rows(tf.constant(["", "the"]), 4)[0].numpy().tolist() == [tokenizer.pad_id] * 4


def test_words_begin_at_spaces_signs_and_chinese_characters(pairs):
    tokenizer = pairs["gpt2"][0]
    first = [ids[0] for ids in tokenizer.encode([" the", "the", "人", "!", "\n"])]
    assert tokenizer.is_word_start[first].tolist() == [True, False, True, True, True]


class _Codec(tf.Module):
    """Encodes with a tokenizer that it does not hold as an attribute."""

    def __init__(self, tokenizer):
        super().__init__()
        rows, text = [tf.TensorSpec([None, None], tf.int32)], [tf.TensorSpec([None], tf.string)]
        self.encode = tf.function(lambda texts: tokenizer.encode_rows(texts, 64), text)
        self.decode = tf.function(tokenizer.decode_strings, rows)


@pytest.mark.parametrize("kind", ["gpt2", "llama3 without merging words", "qwen2"])
def test_a_saved_model_holds_the_tokenizer_without_assets(kind, pairs, tricky, tmp_path):
    tokenizer = pairs[kind][0]
    tf.saved_model.save(_Codec(tokenizer), tmp_path)
    assert not list((tmp_path / "assets").iterdir())
    loaded, rows = tf.saved_model.load(tmp_path), tokenizer.encode_rows(tricky, 64)
    np.testing.assert_array_equal(loaded.encode(tricky), rows)
    np.testing.assert_array_equal(loaded.decode(rows), tokenizer.decode_strings(rows))


def test_rows_are_made_inside_a_data_pipeline(pairs, tricky):
    tokenizer = pairs["llama3"][0]
    data = tf.data.Dataset.from_tensor_slices(tricky).batch(100)
    data = data.map(lambda texts: tokenizer.encode_rows(texts, 16), num_parallel_calls=2)
    np.testing.assert_array_equal(np.concatenate(list(data)), tokenizer.encode_rows(tricky, 16))


def test_rows_are_framed_as_the_configuration_says(pairs):
    tokenizer = pairs["gpt2"][0]
    end, mask = tokenizer.special_ids
    config = tokenizer.config.model_copy(update={"prefix_ids": [mask], "suffix_ids": [end], "pad_id": mask})
    framed = ByteLevelBpeTokenizer(tokenizer.vocabulary, tokenizer.merges, config)
    expected = [mask, *tokenizer.encode(["the"])[0], end]
    assert framed.encode_rows(tf.constant(["the"]), 8).numpy().tolist() == [expected + [mask] * (8 - len(expected))]


def test_the_folder_loads_the_same_tokenizer(pairs, tricky, tmp_path):
    for kind in ("qwen2", "llama3 without merging words"):
        tokenizer = pairs[kind][0]
        tokenizer.save(tmp_path / kind)
        loaded = load_tokenizer(tmp_path / kind)
        assert type(loaded) is ByteLevelBpeTokenizer
        assert (loaded.config, loaded.vocabulary) == (tokenizer.config, tokenizer.vocabulary)
        np.testing.assert_array_equal(loaded.encode_rows(tricky, 64), tokenizer.encode_rows(tricky, 64))


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer.json"])
def test_a_damaged_folder_is_a_user_error(name, pairs, tmp_path):
    pairs["gpt2"][0].save(tmp_path)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace("e", "f", 1))
    with pytest.raises(UserError, match=r"damaged|mistake"):
        load_tokenizer(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"There is no .*{name}"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("vocabulary", "merges", "changes", "message"),
    [
        ([*BYTE_SIGNS[1:], "x y"], [], {}, "1 of the 256 bytes"),
        ([*BYTE_SIGNS, "a"], [], {"vocabulary_size": 257}, "1 tokens stand twice"),
        ([*BYTE_SIGNS, "\ud800"], [], {"vocabulary_size": 257}, "no Unicode text"),
        ([*BYTE_SIGNS], [("a", "b")], {}, "lacks 'ab' of the merge 'a' 'b'"),
        ([*BYTE_SIGNS], [], {"vocabulary_size": 300}, "has 256 tokens, expected 300"),
        ([*BYTE_SIGNS], [], {"pad_id": 256}, "special id 256"),
        ([*BYTE_SIGNS], [], {"special_ids": [7]}, "1 of the 256 bytes"),
    ],
)
def test_what_does_not_fit_is_named(vocabulary, merges, changes, message):
    values = {"vocabulary_size": 256, "pattern": "gpt2", "start_id": 0, "end_id": 0, **changes}
    with pytest.raises(ValueError, match=message):
        ByteLevelBpeTokenizer(vocabulary, merges, ByteLevelBpeConfig(**values))


def test_merges_are_two_tokens_a_line():
    assert parse_merges("#version: 0.2\r\na b\r\n# #\n") == [("a", "b"), ("#", "#")]
    with pytest.raises(ValueError, match="line 2 of the merges is 'a b c'"):
        parse_merges("a b\na b c\n")


@pytest.mark.parametrize("kind", ["gpt2", "gpt2 with a space before", "qwen2"])
def test_tokens_stand_where_their_bytes_are(kind, pairs, stress_texts):
    tokenizer, _ = pairs[kind]
    texts = [*stress_texts[::3], "e\u0301\u0301 the", "\u3000\u3000中\u3000国", " the", "a\u0323\u0307"]
    rows = spans_of(tokenizer, texts)
    check_order(texts, rows)
    check_edges(texts, rows)
    if tokenizer.is_lossless:
        for text, ids, row in zip(texts, tokenizer.encode(texts), rows, strict=True):
            decoded = [tokenizer.decode([token]) for token in ids]
            wrong = [
                token
                for token, (start, end) in zip(decoded, row, strict=True)
                if "\ufffd" not in token and text[start:end] != token.strip()
            ]
            assert not wrong, repr(text)


def test_a_space_that_is_put_before_the_text_moves_no_token(pairs):
    tokenizer, _ = pairs["gpt2 with a space before"]
    for text in ("the citizens", " the citizens"):
        row = spans_of(tokenizer, [text])[0]
        assert [text[start:end] for start, end in row if end > start][0].startswith("t")
        assert "".join(text[start:end] for start, end in row) == "thecitizens"


def test_characters_that_are_composed_have_what_they_were_made_of(pairs):
    tokenizer, _ = pairs["qwen2"]
    text = "e\u0301 中 e\u0301x"
    parts = [text[start:end] for start, end in spans_of(tokenizer, [text])[0]]
    assert [part for part in dict.fromkeys(parts) if part] == ["e\u0301", "中", "x"]
