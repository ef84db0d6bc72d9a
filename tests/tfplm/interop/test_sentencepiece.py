"""SentencePiece folders of other projects: read, refused by name, and written so that `tokenizers` gives equal ids."""

import io
import json

import pytest
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from tfplm.errors import UserError
from tfplm.interop.tokenizers.sentencepiece import read_sentencepiece
from tfplm.interop.tokenizers.sentencepiece_writing import write_sentencepiece
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig
from tfplm.tokenizers.loading import train_tokenizer

LINES = [
    "The citizens of the republic elect their representatives, and they answer to the citizens.",
    "Representation, taxation and elections: 1, 22, 347 and 5.",
    "中国人民的生活水平不断提高，人民生活越来越好。",
    "a b c d < > / s u n k p e x t r _ i 0 [ ]",
] * 8
TEXTS = [
    "The citizens  elect their 中国人民.",
    " leading and trailing ",
    "",
    "café \u200b tab\there ½ ！",
    "</s> <s> <unk> <pad> <extra_id_0> <0x41> [CLS]",
    "emoji 😀👍🏽 한국어",
    "``quoted'' É",
]
FILES = {
    "t5": ("spiece.model", "T5Tokenizer", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "albert": (
        "spiece.model",
        "AlbertTokenizer",
        {"pad_id": 0, "unk_id": 1, "eos_id": -1, "bos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    ),
    "xlm-roberta": ("sentencepiece.bpe.model", "XLMRobertaTokenizer", {}),
    "llama": (
        "tokenizer.model",
        "LlamaTokenizer",
        {
            "model_type": "bpe",
            "byte_fallback": True,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
        },
    ),
}


@pytest.fixture(scope="module")
def trained():
    def train(options):
        buffer = io.BytesIO()
        settings = {"vocab_size": 380, "hard_vocab_limit": False, "minloglevel": 4, **options}
        SentencePieceTrainer.Train(sentence_iterator=iter(LINES), model_writer=buffer, **settings)
        return buffer.getvalue()

    return {name: train(options) for name, (_, _, options) in FILES.items()}


def write_folder(folder, name, model, **config):
    file, tokenizer_class, _ = FILES[name]
    (folder / file).write_bytes(model)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class, **config}))
    return folder


def package_ids(folder, texts=TEXTS):
    package = Tokenizer.from_file(str(folder / "tokenizer.json"))
    package.encode_special_tokens = True
    return [encoding.ids for encoding in package.encode_batch(texts)]


def own_ids(tokenizer, texts=TEXTS):
    return [[*tokenizer.prefix_ids, *ids.tolist(), *tokenizer.suffix_ids] for ids in tokenizer.encode(texts)]


def test_a_folder_without_sentencepiece_is_none(tmp_path):
    assert read_sentencepiece(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"}, "decoder": {"type": "ByteLevel"}}')
    assert read_sentencepiece(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "pad", "start", "end", "mask", "prefix", "suffix"),
    [
        ("t5", 0, 0, 1, None, (), (1,)),
        ("albert", 0, 2, 3, 4, (2,), (3,)),
        ("llama", 2, 1, 2, None, (1,), ()),
    ],
)
def test_a_model_file_keeps_its_ids(trained, tmp_path, name, pad, start, end, mask, prefix, suffix):
    tokenizer = read_sentencepiece(write_folder(tmp_path, name, trained[name]))
    assert (tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id, tokenizer.mask_id) == (pad, start, end, mask)
    assert (tokenizer.prefix_ids, tokenizer.suffix_ids) == (prefix, suffix)
    processor = SentencePieceProcessor(model_proto=trained[name])
    texts = ["the citizens elect, 中国人民", "and they answer"]
    assert [ids.tolist() for ids in tokenizer.encode(texts)] == [processor.EncodeAsIds(text) for text in texts]
    assert tokenizer.decode(tokenizer.encode(texts)[0]) == processor.DecodeIds(processor.EncodeAsIds(texts[0]))


def test_ids_of_xlm_roberta_are_shifted(trained, tmp_path):
    tokenizer = read_sentencepiece(write_folder(tmp_path, "xlm-roberta", trained["xlm-roberta"]))
    processor = SentencePieceProcessor(model_proto=trained["xlm-roberta"])
    assert tokenizer.vocabulary[:4] == ["<s>", "<pad>", "</s>", "<unk>"] and tokenizer.vocabulary[-1] == "<mask>"
    assert tokenizer.encode(["the citizens"])[0].tolist() == [id_ + 1 for id_ in processor.EncodeAsIds("the citizens")]
    assert tokenizer.vocabulary_size == processor.GetPieceSize() + 2
    assert tokenizer.encode(["😀"])[0].tolist()[-1] == tokenizer.unknown_id == 3


def test_sentinels_follow_the_model_in_falling_order(trained, tmp_path):
    folder = write_folder(tmp_path, "t5", trained["t5"])
    tokenizer = read_sentencepiece(folder)
    size = SentencePieceProcessor(model_proto=trained["t5"]).GetPieceSize()
    assert tokenizer.vocabulary_size == size + 100
    assert tokenizer.sentinel_ids.tolist() == list(range(size + 99, size - 1, -1))
    write_folder(tmp_path, "t5", trained["t5"], extra_ids=0)
    assert read_sentencepiece(folder).sentinel_ids.size == 0


def test_sentinels_of_the_model_itself_become_special(trained, tmp_path):
    proto = ModelProto.FromString(trained["t5"])
    for index in (1, 0):
        proto.pieces.add(piece=f"▁<extra_id_{index}>", type=ModelProto.SentencePiece.USER_DEFINED)
    folder = write_folder(tmp_path, "t5", proto.SerializeToString(), extra_ids=0)
    tokenizer = read_sentencepiece(folder)
    assert tokenizer.sentinel_ids.tolist() == [tokenizer.vocabulary_size - 1, tokenizer.vocabulary_size - 2]
    assert not set(tokenizer.encode(["<extra_id_0> <extra_id_1>"])[0]) & set(tokenizer.sentinel_ids)


def test_albert_lowers_case_and_strips_accents_as_told(trained, tmp_path):
    folder = write_folder(tmp_path, "albert", trained["albert"])
    texts = ["``É THE''", '"e the"']
    first, second = read_sentencepiece(folder).encode(texts)
    assert first.tolist() == second.tolist()
    write_folder(tmp_path, "albert", trained["albert"], do_lower_case=False, keep_accents=True)
    first, second = read_sentencepiece(folder).encode(texts)
    assert first.tolist() != second.tolist()


def test_special_tokens_that_were_added_stand_behind_the_model(trained, tmp_path):
    size = SentencePieceProcessor(model_proto=trained["llama"]).GetPieceSize()
    added = {str(size): {"content": "[PAD]", "special": True}}
    write_folder(tmp_path, "llama", trained["llama"], added_tokens_decoder=added, pad_token="[PAD]", add_eos_token=True)
    tokenizer = read_sentencepiece(tmp_path)
    assert (tokenizer.pad_id, tokenizer.vocabulary_size, tokenizer.suffix_ids) == (size, size + 1, (2,))


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_gives_equal_ids_and_comes_back(trained, tmp_path, name):
    tokenizer = read_sentencepiece(write_folder(tmp_path, name, trained[name]))
    out = tmp_path / "out"
    out.mkdir()
    write_sentencepiece(tokenizer, out, max_length=64)
    texts = TEXTS if name == "llama" else [text for text in TEXTS if "</s>" not in text]
    assert package_ids(out, texts) == own_ids(tokenizer, texts)
    has_padding = "pad_token" in json.loads((out / "special_tokens_map.json").read_text())
    assert has_padding == (name != "llama")  # where there is none the end stands in its place, here only
    back = read_sentencepiece(out)
    assert back.config == tokenizer.config and back.model == tokenizer.model


@pytest.mark.parametrize("name", FILES)
def test_settings_alone_give_the_ids_of_the_package(trained, tmp_path, name):
    """Without the note of tfplm the tokenizer.json is one of any project."""
    write_sentencepiece(read_sentencepiece(write_folder(tmp_path, name, trained[name])), tmp_path, max_length=64)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del config["tfplm_tokenizer"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    texts = TEXTS if name == "llama" else [text for text in TEXTS if "</s>" not in text]
    assert own_ids(read_sentencepiece(tmp_path), texts) == package_ids(tmp_path, texts)


@pytest.mark.parametrize("model", ["unigram", "bpe", "bytes"])
def test_tokenizers_of_tfplm_leave_with_equal_ids_and_come_back(tmp_path, model):
    if model == "bytes":
        tokenizer = ByteTokenizer(BytesConfig(num_sentinels=3))
    else:
        tokenizer = train_tokenizer(LINES, SentencePieceConfig(model=model, vocabulary_size=335, num_sentinels=3))
    write_sentencepiece(tokenizer, tmp_path, max_length=64)
    texts = [*TEXTS, "▁ \x10 \x10\x11 \n\n\x00", "  two  spaces\r\n"]
    assert package_ids(tmp_path, texts) == own_ids(tokenizer, texts)
    package = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert [package.decode(ids.tolist()) for ids in tokenizer.encode(texts)] == texts
    assert package.get_vocab_size() == tokenizer.vocabulary_size
    back = read_sentencepiece(tmp_path)
    assert type(back) is type(tokenizer) and back.config == tokenizer.config


def write_bpe(folder, merges, vocabulary, **changes):
    package = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True))
    package.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    package.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    settings = json.loads(package.to_str())
    (folder / "tokenizer.json").write_text(json.dumps(settings | changes))
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))


BPE = {token: index for index, token in enumerate(["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "abab"])}


def test_merges_become_scores(tmp_path):
    write_bpe(tmp_path, [("a", "b"), ("▁", "a"), ("ab", "ab")], BPE)
    texts = ["ab aab abab", "", " a b", "aabbxab"]
    assert own_ids(read_sentencepiece(tmp_path), texts) == package_ids(tmp_path, texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_tokenizer": {"type": "Digits", "individual_digits": True}}, "pre-tokenizer Digits"),
        ({"pre_tokenizer": {"type": "Metaspace", "replacement": "_"}}, "Metaspace"),
        ({"normalizer": {"type": "Bert"}}, "normalizer Bert"),
        ({"normalizer": {}}, "is damaged"),
        ({"post_processor": {"type": "ByteLevel"}}, "post-processor 'ByteLevel'"),
        ({"added_tokens": [{"id": 9, "content": "word", "special": False}]}, "adds the token 'word'"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": None}}, "no unknown token"),
        ({"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0}}, "is damaged"),
        ({"model": {"type": "BPE", "vocab": {"a": 1}, "merges": []}}, "is damaged"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "ignore_merges": True}}, "ignores merges"),
        (
            {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"}},
            "end_of_word_suffix",
        ),
    ],
)
def test_settings_that_are_not_supported_are_named(tmp_path, changes, message):
    write_bpe(tmp_path, [("a", "b"), ("▁", "a"), ("ab", "ab")], BPE, **changes)
    with pytest.raises(UserError, match=message):
        read_sentencepiece(tmp_path)


@pytest.mark.parametrize("merges", [[("a", "b"), ("ab", "ab")], [("▁", "a"), ("a", "b")]])
def test_merges_that_sentencepiece_cannot_express_are_refused(tmp_path, merges):
    write_bpe(tmp_path, merges, BPE)
    with pytest.raises(UserError, match="The|the merge of"):
        read_sentencepiece(tmp_path)


def test_a_unigram_model_that_splits_at_white_space_is_read(tmp_path):
    vocabulary = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -2.0), ("a", -3.0), ("▁ab", -4.0), ("b", -5.0)]
    package = Tokenizer(models.Unigram(vocabulary, 0, byte_fallback=False))
    package.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    package.add_special_tokens(["<s>", "</s>"])
    package.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "special_tokens_map.json").write_text('{"bos_token": "<s>", "eos_token": {"content": "</s>"}}')
    texts = ["ab  ab", " a\u3000b\tab\n", "xx ab", "", " "]
    assert own_ids(read_sentencepiece(tmp_path), texts) == package_ids(tmp_path, texts)


def test_another_family_is_named(trained, tmp_path):
    write_folder(tmp_path, "t5", trained["t5"], tokenizer_class="CamembertTokenizer")
    with pytest.raises(UserError, match=r"'CamembertTokenizer'[^$]*Supported: T5Tokenizer"):
        read_sentencepiece(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff", b"no model at all"])
def test_a_damaged_model_is_a_user_error(tmp_path, content):
    write_folder(tmp_path, "t5", content)
    with pytest.raises(UserError, match="spiece.model"):
        read_sentencepiece(tmp_path)


@pytest.mark.parametrize(
    ("place", "content"), [((0, 4), b"\xff\xff\xff\x7f"), ((4, 8), b"\0\0\xff\x7f"), ((-1, None), b"x")]
)
def test_a_character_map_that_points_out_of_itself_is_a_user_error(trained, tmp_path, place, content):
    """Its readers follow it without a check, and would read any memory."""
    proto = ModelProto.FromString(trained["t5"])
    charsmap = bytearray(proto.normalizer_spec.precompiled_charsmap)
    charsmap[slice(*place)] = content
    proto.normalizer_spec.precompiled_charsmap = bytes(charsmap)
    with pytest.raises(UserError, match="spiece.model is no SentencePiece model: the character map"):
        read_sentencepiece(write_folder(tmp_path, "t5", proto.SerializeToString()))
