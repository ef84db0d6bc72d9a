"""WordPiece and SentencePiece tokenizers equal AutoTokenizer of the `transformers` package, in and out."""

import io
import json

import pytest
from sentencepiece import SentencePieceTrainer

from tfplm.interop.tokenizers.sentencepiece import read_sentencepiece
from tfplm.interop.tokenizers.sentencepiece_writing import write_sentencepiece
from tfplm.interop.tokenizers.wordpiece import read_wordpiece, write_wordpiece
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig, WordPieceConfig
from tfplm.tokenizers.loading import train_tokenizer

transformers = pytest.importorskip("transformers")

LINES = [
    "The citizens of the republic elect their representatives, and they answer to the citizens.",
    "Representation, taxation and elections: 1, 22, 347 and 5.",
    "中国人民的生活水平不断提高，人民生活越来越好。",
    "a b c d < > / s u n k p e x t r _ i 0 [ ]",
] * 8
STRESS = [
    "The citizens  elect their 中国人民.",
    "",
    " leading and trailing ",
    "\ttab\nline\r\nend\u3000wide\xa0hard",
    "café CAFÉ e\u0301 naïve Ångström ß ½ ﬁ Ⅻ ℃ ，。！",
    "İstanbul ΣΑΣ ǅ",
    "emoji 😀 👩‍👩‍👧‍👦 👍🏽 🇨🇳 ❤️",
    "control \x00\x01\x1b\x7f\x85 zero\u200bwidth \ufeff \u2028 \ufffd \ue000",
    "한국어 русский العربية עברית हिन्दी ไทย 日本語 𠮷",
    "x" * 300,
    "é" * 100 + " " + "é" * 101,
    "中" * 300,
    "``quoted'' -- $1,234.50 (a+b)=c^2 `~|",
]
SPECIAL = ["[MASK] the [CLS][SEP] [PAD] [UNK]", "the </s> <s><pad> <unk> <mask> <extra_id_0> <0x41>"]
SENTENCEPIECE = {
    "T5Tokenizer": ("spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "AlbertTokenizer": (
        "spiece.model",
        {"pad_id": 0, "unk_id": 1, "eos_id": -1, "bos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    ),
    "XLMRobertaTokenizer": ("sentencepiece.bpe.model", {}),
    "LlamaTokenizer": (
        "tokenizer.model",
        {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
    ),
}


def reference_ids(folder, texts):
    reference = transformers.AutoTokenizer.from_pretrained(folder)
    return reference(texts, split_special_tokens=True).input_ids


def own_ids(tokenizer, texts):
    return [[*tokenizer.prefix_ids, *ids.tolist(), *tokenizer.suffix_ids] for ids in tokenizer.encode(texts)]


@pytest.mark.parametrize("has_settings", [True, False])
@pytest.mark.parametrize("lowercase", [True, False])
def test_bert_vocabularies_in_and_out(tmp_path, lowercase, has_settings):
    config = WordPieceConfig(vocabulary_size=135, normalization="bert", lowercase=lowercase)
    write_wordpiece(train_tokenizer(LINES, config), tmp_path, max_length=512)
    if not has_settings:
        (tmp_path / "tokenizer.json").unlink()
    tokenizer = read_wordpiece(tmp_path)
    assert own_ids(tokenizer, [*STRESS, *SPECIAL]) == reference_ids(tmp_path, [*STRESS, *SPECIAL])
    assert type(transformers.AutoTokenizer.from_pretrained(tmp_path)) is transformers.BertTokenizer


def test_a_vocabulary_of_tfplm_goes_out(tmp_path):
    tokenizer = train_tokenizer(LINES, WordPieceConfig(vocabulary_size=135))
    write_wordpiece(tokenizer, tmp_path, max_length=512)
    texts = [text for text in [*STRESS, *SPECIAL] if "é" * 100 not in text]
    assert own_ids(tokenizer, texts) == reference_ids(tmp_path, texts)


@pytest.fixture(params=SENTENCEPIECE)
def folder(request, tmp_path):
    """A folder with a model file and the class of its tokenizer."""
    file, options = SENTENCEPIECE[request.param]
    buffer = io.BytesIO()
    settings = {"vocab_size": 380, "hard_vocab_limit": False, "minloglevel": 4, **options}
    SentencePieceTrainer.Train(sentence_iterator=iter(LINES), model_writer=buffer, **settings)
    (tmp_path / file).write_bytes(buffer.getvalue())
    config = {"tokenizer_class": request.param, "add_bos_token": True} if "llama" in request.param.lower() else {}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": request.param, **config}))
    return tmp_path


def texts_of(tokenizer):
    """The reference takes the name of a special token for its piece in a unigram model."""
    return [*STRESS, *SPECIAL] if tokenizer.prefix_ids and tokenizer.mask_id is None else STRESS


@pytest.mark.parametrize("is_saved_by_transformers", [False, True])
def test_sentencepiece_models_in_and_out(folder, is_saved_by_transformers):
    if is_saved_by_transformers:
        reference = transformers.AutoTokenizer.from_pretrained(folder)
        folder = folder / "saved"
        reference.save_pretrained(folder)
    tokenizer = read_sentencepiece(folder)
    texts = texts_of(tokenizer)
    assert own_ids(tokenizer, texts) == reference_ids(folder, texts)
    reference = transformers.AutoTokenizer.from_pretrained(folder)
    rows = tokenizer.encode(texts)
    decoded = [reference.decode(ids.tolist(), skip_special_tokens=True) for ids in rows]
    assert [tokenizer.decode(ids) for ids in rows] == decoded
    out = folder / "out"
    out.mkdir()
    write_sentencepiece(tokenizer, out, max_length=512)
    assert own_ids(tokenizer, texts) == reference_ids(out, texts)


@pytest.mark.parametrize(
    "config",
    [
        SentencePieceConfig(model="unigram", vocabulary_size=335, num_sentinels=2),
        SentencePieceConfig(model="bpe", vocabulary_size=335, num_sentinels=2),
        BytesConfig(num_sentinels=2),
    ],
)
def test_lossless_tokenizers_of_tfplm_go_out(tmp_path, config):
    tokenizer = train_tokenizer(LINES, config)
    write_sentencepiece(tokenizer, tmp_path, max_length=512)
    texts = [*STRESS, *SPECIAL, "▁ \x10\x11 \n\n"]
    assert own_ids(tokenizer, texts) == reference_ids(tmp_path, texts)
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert [reference.decode(ids.tolist()) for ids in tokenizer.encode(texts)] == texts
    assert (reference.pad_token_id, reference.eos_token_id, reference.bos_token_id) == (0, 1, 3)
    assert len(reference) == tokenizer.vocabulary_size
