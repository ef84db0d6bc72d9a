import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from trainers.metrics import lettering
from trainers.metrics.lettering import Lettering
from trainers.metrics.plots import regression_plot

NOWHERE = "\U0010fffd"  # a private character that no font has


@pytest.fixture
def font_with(tmp_path):
    """Installs a font, for this test alone, whose characters are all a square."""
    listed = list(font_manager.fontManager.ttflist)

    def install(family, characters):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((0, 700), (700, 700), (700, 0)):
            pen.lineTo(corner)
        pen.closePath()
        builder = FontBuilder(1000)
        builder.setupGlyphOrder([".notdef", "square"])
        builder.setupCharacterMap({ord(character): "square" for character in characters})
        builder.setupGlyf({".notdef": pen.glyph(), "square": pen.glyph()})
        builder.setupHorizontalMetrics({".notdef": (800, 0), "square": (800, 0)})
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": family, "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        builder.save(tmp_path / f"{family}.ttf")
        font_manager.fontManager.addfont(tmp_path / f"{family}.ttf")
        lettering._other_fonts.cache_clear()

    yield install
    font_manager.fontManager.ttflist[:] = listed
    lettering._other_fonts.cache_clear()


def test_an_installed_font_that_has_the_characters_is_taken(font_with, pixels):
    font_with("Some Squares", NOWHERE)
    chosen = Lettering.of(["class " + NOWHERE])
    assert chosen.families == ("DejaVu Sans", "Some Squares")
    assert chosen.show(NOWHERE) == NOWHERE
    pixels(regression_plot(np.zeros(1), np.zeros(1), NOWHERE))


def test_fonts_made_for_chinese_come_before_others(font_with):
    font_with("A Font", "中文" + NOWHERE)
    font_with("Noto Sans CJK SC", "中文" + NOWHERE)
    assert Lettering.of(["中文" + NOWHERE]).families[1] == "Noto Sans CJK SC"


def test_a_character_that_no_font_has_is_spelled_out():
    chosen = Lettering.of([f"a{NOWHERE}é", "b"])
    assert chosen.families == ("DejaVu Sans",)
    assert chosen.show(f"a{NOWHERE}é") == r"a\U0010fffdé"


def test_names_are_shown_in_one_line_and_cut():
    chosen = Lettering.of(["a\nb"])
    assert chosen.show("a\nb") == "a b"
    assert chosen.show("x" * 50, longest=10) == "x" * 9 + "…"
