import json

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tfplm.errors import UserError
from tfplm.interop.tokenizers.byte_level_bpe import read_byte_level_bpe, write_byte_level_bpe

TEXTS = [
    "The citizens don't elect 1234 representatives.\n\n  Naïve 👍🏽!",
    "中国人民的生活水平不断提高，人民生活越来越好。",
] * 3
TRICKY = [*TEXTS, "", " ", "DON'T 12345  x\t\n y", "e\u0301 <s> <|endoftext|>", "\u3000中国\x00", "the</s>"]
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _trained(special: list[str], pre_tokenizer=None, **model) -> Tokenizer:
    reference = Tokenizer(models.BPE(**model))
    reference.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    reference.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    reference.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=360, initial_alphabet=alphabet))
    reference.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    reference.encode_special_tokens = True
    return reference


def _split(expression: str) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(expression), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _gpt2() -> Tokenizer:
    reference = _trained(["<|endoftext|>"])
    reference.post_processor = processors.ByteLevel(trim_offsets=False)
    return reference


def _roberta() -> Tokenizer:
    reference = _trained(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    edges = [(token, reference.token_to_id(token)) for token in ("</s>", "<s>")]
    reference.post_processor = processors.RobertaProcessing(*edges, add_prefix_space=False)
    return reference


def _qwen2() -> Tokenizer:
    reference = _trained(["<|endoftext|>", "<|im_end|>"], _split(QWEN2))
    reference.add_tokens(["<tool_call>"])
    reference.normalizer = normalizers.NFC()
    return reference


def _llama3() -> Tokenizer:
    reference = _trained(["<s>", "</s>"], _split(QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")), ignore_merges=True)
    template = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", reference.token_to_id("<s>"))]
    )
    reference.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return reference


def _smollm() -> Tokenizer:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return _trained(
        ["<|endoftext|>"], pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    )


_ROBERTA_NAMES = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": {"content": "<mask>", "lstrip": True},
}
CASES = {
    "gpt2": (_gpt2, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}),
    "roberta": (_roberta, _ROBERTA_NAMES),
    "qwen2": (_qwen2, {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}),
    "llama3": (_llama3, {"bos_token": "<s>", "eos_token": "</s>"}),
    "smollm": (_smollm, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}),
}


def _write(folder, name, **values):
    (folder / name).write_text(json.dumps(values), encoding="utf-8")


def _folder(path, name) -> Tokenizer:
    make, names = CASES[name]
    reference = make()
    path.mkdir(exist_ok=True)
    reference.save(str(path / "tokenizer.json"))
    _write(path, "tokenizer_config.json", **names)
    return reference


def _assert_equal_ids(tokenizer, reference, texts=TRICKY):
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        framed = [*tokenizer.prefix_ids, *ids, *tokenizer.suffix_ids]
        assert framed == reference.encode(text).ids, repr(text)


@pytest.mark.parametrize("name", CASES)
def test_a_tokenizer_json_gives_the_ids_of_the_reference(name, tmp_path):
    reference = _folder(tmp_path, name)
    tokenizer = read_byte_level_bpe(tmp_path)
    _assert_equal_ids(tokenizer, reference)
    assert tokenizer.vocabulary_size == reference.get_vocab_size()
    assert tokenizer.is_lossless == (name != "qwen2")


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_is_read_again_alike_and_by_the_reference(name, tmp_path):
    _folder(tmp_path / "in", name)
    tokenizer = read_byte_level_bpe(tmp_path / "in")
    (tmp_path / "out").mkdir()
    write_byte_level_bpe(tokenizer, tmp_path / "out", 512)
    again = read_byte_level_bpe(tmp_path / "out")
    assert (again.config, again.vocabulary, again.merges) == (tokenizer.config, tokenizer.vocabulary, tokenizer.merges)
    written = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    written.encode_special_tokens = True
    _assert_equal_ids(tokenizer, written)
    for ids in tokenizer.encode(TRICKY):
        assert written.decode(ids.tolist()) == tokenizer.decode(ids)
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())["model_max_length"] == 512


def test_special_ids_have_their_roles(tmp_path):
    reference = _folder(tmp_path, "roberta")
    tokenizer = read_byte_level_bpe(tmp_path)
    ids = [reference.token_to_id(token) for token in ("<s>", "</s>", "<pad>", "<unk>", "<mask>")]
    roles = [tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id, tokenizer.unknown_id, tokenizer.mask_id]
    assert roles == ids
    assert tokenizer.prefix_ids == (ids[0],)
    assert tokenizer.suffix_ids == (ids[1],)
    assert tokenizer.special_ids == tuple(sorted(ids))


def test_without_a_start_the_end_stands_for_it_and_other_added_tokens_are_special(tmp_path):
    reference = _folder(tmp_path, "qwen2")
    tokenizer = read_byte_level_bpe(tmp_path)
    pad, end, call = (reference.token_to_id(token) for token in ("<|endoftext|>", "<|im_end|>", "<tool_call>"))
    assert (tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id) == (end, end, pad)
    assert tokenizer.special_ids == (pad, end, call)


def test_without_padding_the_end_stands_where_a_row_is_not_filled(tmp_path):
    _folder(tmp_path, "smollm")
    tokenizer = read_byte_level_bpe(tmp_path)
    assert tokenizer.config.pad_id == -1 and tokenizer.pad_id == tokenizer.end_id


def test_a_start_that_the_settings_ask_for_wins(tmp_path):
    reference = _folder(tmp_path, "gpt2")
    _write(tmp_path, "tokenizer_config.json", **CASES["gpt2"][1], add_bos_token=True)
    assert read_byte_level_bpe(tmp_path).prefix_ids == (reference.token_to_id("<|endoftext|>"),)


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
@pytest.mark.parametrize("kind", ["gpt2", "roberta", "qwen2"])
def test_a_vocabulary_and_merges_give_the_ids_of_the_reference(kind, names, tmp_path):
    reference = CASES[kind][0]()
    _write(tmp_path, names[0], **reference.get_vocab())
    merges = json.loads(reference.to_str())["model"]["merges"]
    (tmp_path / names[1]).write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    _write(tmp_path, "config.json", model_type=kind)
    tokenizer = read_byte_level_bpe(tmp_path)
    _assert_equal_ids(tokenizer, reference)
    assert tokenizer.token_strings([tokenizer.end_id]) == ["</s>" if kind == "roberta" else "<|endoftext|>"]


def test_merges_may_be_strings_and_ids_may_be_left_out(tmp_path):
    reference = _folder(tmp_path, "gpt2")
    settings = json.loads((tmp_path / "tokenizer.json").read_text())
    settings["model"]["merges"] = [f"{left} {right}" for left, right in settings["model"]["merges"]]
    settings["added_tokens"][0]["id"] += 3
    _write(tmp_path, "tokenizer.json", **settings)
    tokenizer = read_byte_level_bpe(tmp_path)
    size = reference.get_vocab_size()
    assert tokenizer.vocabulary_size == size + 3
    assert tokenizer.vocabulary[size - 1 :] == [*(f"<unused_{size - 1 + i}>" for i in range(3)), "<|endoftext|>"]
    assert tokenizer.special_ids == tuple(range(size - 1, size + 3))
    _assert_equal_ids(tokenizer, reference)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model": {"type": "WordPiece"}},
        {"model": {"type": "BPE", "byte_fallback": True}, "pre_tokenizer": {"type": "Metaspace"}},
        {"model": [], "pre_tokenizer": {"type": "ByteLevel"}},
    ],
)
def test_a_folder_of_another_kind_is_none(settings, tmp_path):
    if settings:
        _write(tmp_path, "tokenizer.json", **settings)
    (tmp_path / "vocab.json").write_text("{}")
    assert read_byte_level_bpe(tmp_path) is None


SPLIT = {"type": "Split", "pattern": {"Regex": r"\S+"}, "behavior": "Isolated", "invert": False}
DIGITS = {"type": "Digits", "individual_digits": False}
SINGLE_DIGITS = {"type": "Digits", "individual_digits": True}
LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
LEVEL_ALONE = {**LEVEL, "use_regex": False}


def _sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "normalizer .*Lowercase.*\n.*NFC"),
        ({"normalizer": {"type": "Sequence", "normalizers": 3}}, "the normalizer is damaged"),
        ({"decoder": {"type": "Metaspace"}}, "decoder .*Metaspace"),
        ({"pre_tokenizer": _sequence(SPLIT, LEVEL_ALONE)}, r"splits by .*S\+.*\n.*Llama 3"),
        ({"pre_tokenizer": _sequence({**SPLIT, "pattern": 3}, LEVEL_ALONE)}, "splits by"),
        ({"pre_tokenizer": _sequence(DIGITS, LEVEL)}, "pre_tokenizer .*Digits"),
        ({"pre_tokenizer": LEVEL_ALONE}, "pre_tokenizer .*use_regex"),
        ({"pre_tokenizer": _sequence(SINGLE_DIGITS, LEVEL | {"add_prefix_space": True})}, "Digits"),
        ({"post_processor": {"type": "Other"}}, "post_processor 'Other'"),
        ({"post_processor": {"type": "RobertaProcessing"}}, "post_processor is damaged"),
        ({"post_processor": {"type": "TemplateProcessing", "single": []}}, "post_processor is damaged"),
        ({"model.dropout": 0.1}, "dropout 0.1"),
        ({"model.end_of_word_suffix": "</w>"}, "end_of_word_suffix '</w>'"),
        ({"model.merges": "a b"}, "the merges are damaged"),
        ({"model.merges": ["a b c"]}, "the merge 'a b c' is damaged"),
        ({"model.merges": [["a", 1]]}, "the merge .* is damaged"),
        ({"model.merges": [["Q", "Q"]]}, "lacks 'QQ'"),
        ({"model.vocab": []}, "the vocabulary is damaged"),
        ({"model.vocab": {"a": -1}}, "gives 'a' the id -1"),
        ({"model.vocab": {"a": 1 << 40}}, "gives 'a' the id"),
        ({"model.vocab": {"a": True}}, "gives 'a' the id True"),
        ({"model.vocab": {"a": 0, "b": 0}}, "gives 'b' the id 0, which does not fit"),
        ({"model.vocab": {"a": 0}}, "255 of the 256 bytes"),
        ({"added_tokens": [{"id": 1, "content": "x", "special": True}]}, "'x' the id 1, which does not fit"),
        ({"added_tokens": [{"id": 900, "content": "   "}]}, "adds the token '   '"),
        ({"added_tokens": 3}, "added tokens .* damaged"),
    ],
)
def test_what_is_not_supported_or_damaged_is_named(changes, message, tmp_path):
    _folder(tmp_path, "gpt2")
    settings = json.loads((tmp_path / "tokenizer.json").read_text())
    for key, value in changes.items():
        inner = settings["model"] if key.startswith("model.") else settings
        inner[key.removeprefix("model.")] = value
    _write(tmp_path, "tokenizer.json", **settings)
    with pytest.raises(UserError, match=message):
        read_byte_level_bpe(tmp_path)


def test_names_and_files_that_are_wrong_are_named(tmp_path):
    _folder(tmp_path, "gpt2")
    _write(tmp_path, "tokenizer_config.json", eos_token="<nowhere>")
    with pytest.raises(UserError, match="eos_token '<nowhere>'"):
        read_byte_level_bpe(tmp_path)
    _write(tmp_path, "config.json", model_type="llama")
    _write(tmp_path, "tokenizer_config.json")
    with pytest.raises(UserError, match="names no eos_token"):
        read_byte_level_bpe(tmp_path)
    (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.json")
    (tmp_path / "merges.txt").write_bytes(b"a\n")
    with pytest.raises(UserError, match="model type 'llama'.*\n.*gpt2, roberta, qwen2"):
        read_byte_level_bpe(tmp_path)
    _write(tmp_path, "config.json", model_type="gpt2")
    with pytest.raises(UserError, match="line 1 of the merges is 'a'"):
        read_byte_level_bpe(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"\xff\n")
    with pytest.raises(UserError, match=r"merges.txt is damaged"):
        read_byte_level_bpe(tmp_path)
