import time
import unicodedata

import pytest

from tfplm.data.cleaning import clean_text
from tfplm.data.configuration import CleaningConfig

CONFIG = CleaningConfig()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a  b\tc \n d", "a b c\nd"),
        ("one\r\ntwo\rthree\u2028four\u2029five\x85six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("\n\n first \n \n\t\n\n second \n\n", "first\n\nsecond"),
        ("\ufeffBOM\ufeff, so\u00adft \x00hy\x07phen\x9f\ufffe\uffff", "BOM, soft hyphen"),
        ("ideographic\u3000and\u00a0no-break\u2009thin", "ideographic and no-break thin"),
        ("lone \ud83d surrogate \udc00", "lone surrogate"),
        ("e\u0301 Vie\u0323\u0302t", "é Việt"),
        ("我　爱　北京。\u3000", "我 爱 北京。"),
        (" \t\n\u3000", ""),
        ("", ""),
        ("a \x00 b", "a b"),
    ],
)
def test_text_comes_out_as_a_person_expects(raw, clean):
    assert clean_text(raw, CONFIG) == clean
    assert clean_text(clean, CONFIG) == clean


@pytest.mark.parametrize(
    "text",
    ["family 👨‍👩‍👧‍👦 and ❤️ and 👍🏽", "می‌خواهم", "क्‍ष", "ＡＢＣ，１２３。", "ﬁ ½ ①", "price: 3 €"],
)
def test_joiners_variation_selectors_and_width_are_kept(text):
    assert clean_text(text, CONFIG) == text


def test_compatibility_form_folds_width_and_leaves_nothing_unclean():
    config = CleaningConfig(normalization="NFKC")
    assert clean_text("ＡＢＣ　１２３ ﬁ", config) == "ABC 123 fi"
    every = "".join(map(chr, range(0x20000)))
    assert clean_text(clean_text(every, config), config) == clean_text(every, config)


def test_no_normalization_keeps_decomposed_characters():
    assert clean_text("e\u0301\tx", CleaningConfig(normalization="none")) == "e\u0301 x"


def test_no_character_of_unicode_leaves_control_characters_or_odd_spaces():
    every = "".join(f"x{chr(code)}y" for code in range(0x110000))
    clean = clean_text(every, CONFIG)
    assert clean_text(clean, CONFIG) == clean
    categories = {unicodedata.category(character) for character in set(clean) - {"\n", " "}}
    assert not categories & {"Cc", "Cs", "Zs", "Zl", "Zp"}


def test_clean_text_is_cleaned_fast():
    text = "The quick brown fox jumps over the lazy dog, and 我爱北京天安门。\n\n" * 100_000
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        clean_text(text, CONFIG)
        seconds.append(time.perf_counter() - start)
    assert len(text.encode()) / min(seconds) > 20e6  # 100 MB/s and more is usual; a loop over characters gives 5
