"""Small tokenizers that lose nothing, and text that is awkward for them."""

import random

import pytest

from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig
from tfplm.tokenizers.sentencepiece_training import train_sentencepiece

TEXTS = [
    "The citizens of the republic elect their representatives, and the representatives answer to the citizens.",
    "Representation and taxation: _init_ __init__ _start_ <s> </s> <unk> <pad> <extra_id_0> <0x41>\tand\tmore",
    "中国人民的生活水平不断提高，人民生活越来越好。",
    "这本书写得很好（好书）！",
] * 5

_STRESS = [
    "",
    "The citizens elect 中国人民, 生活水平不断提高。",
    "繁體字、ひらがな、カタカナ、한국어、𠮷野家",
    "👩‍👩‍👧‍👦 👍🏽 🇨🇳 ❤️",
    "e\u0301 \u1ea5\u0302 Z\u0351\u036b\u0343",
    "שלום עולם مرحبا \u202eabc\u202c \u200f",
    "".join(map(chr, range(32))) + "\x7f\x80\x85\x9f",
    "\x00",
    "a\x00b\x00",
    "\r\n\r\r\n",
    "\x1b[31mred\x1b[0m",
    "a\tb\t\tc\t",
    "\n",
    "\n\nthe\n\n\nof\n",
    "a  b   c    d" + " " * 100 + "e",
    " the",
    "the ",
    " ",
    "   ",
    "▁",
    "▁▁ ▁the▁ ▁",
    "▁init_ ▁_init_ _▁_",
    "\x10",
    "\x10\x10\x11\x12\x10\x12▁\x10▁\x11\x12",
    "\ufeffthe",
    "the\ufeff\u200b\u2060",
    "\ue000\uf8ff\U000f0000\U0010ffff\ufffe\uffff\ufdd0",
    "\ufffd ⁇  ▅ ▅",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<0x41><0xFF>",
    "<extra_id_0> <extra_id_3>",
    "the<s>of</s> <pad><unk><extra_id_1>",
    "\u2028\u2029\x0b\x0c\xa0\u3000",
    "x" * 3000,
    "000000 ------ ......",
]
_FAVOURED = [0x20, 0x10, 0x11, 0x12, 0x0A, 0x2581, 0x2585]  # what the escapes and the trainer give a meaning


def _random_text(generator: random.Random) -> str:
    codes = []
    for _ in range(generator.randrange(1, 40)):
        highest = generator.choice((0x80, 0x800, 0x10000, 0x110000))
        code = generator.choice((*_FAVOURED, *[generator.randrange(highest)] * len(_FAVOURED)))
        codes.append(0x20 if 0xD800 <= code < 0xE000 else code)
    return "".join(map(chr, codes))


@pytest.fixture(scope="session")
def stress_texts():
    generator = random.Random(0)
    return [*_STRESS, *(_random_text(generator) for _ in range(500))]


@pytest.fixture(scope="session")
def trained():
    configs = {
        "unigram": SentencePieceConfig(model="unigram", vocabulary_size=340, num_sentinels=4),
        "bpe": SentencePieceConfig(model="bpe", vocabulary_size=420, num_sentinels=4),
    }
    models = {name: train_sentencepiece(TEXTS, config) for name, config in configs.items()}
    return {**models, "bytes": ByteTokenizer(BytesConfig(num_sentinels=4))}


@pytest.fixture(params=["unigram", "bpe", "bytes"])
def lossless(request, trained):
    return trained[request.param]


@pytest.fixture(params=["unigram", "bpe"])
def sentencepiece(request, trained):
    return trained[request.param]
