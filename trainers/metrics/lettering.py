"""Words in pictures: in a font that has their characters, or spelled out where no installed font has them."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text

_USUAL = "DejaVu Sans"  # comes with matplotlib
# Fonts for Chinese, Japanese and Korean that systems come with; one of them looks better than just any font.
_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
_PLACEHOLDERS = "Last Resort"  # fonts whose every character is a box


@dataclass(frozen=True)
class Lettering:
    """The fonts for some texts.

    Args:
        families: names of font families, the first that has a character shows it.
        missing: characters that none of them has.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Lettering":
        """The usual font, and where that lacks characters those installed ones that have most of them."""
        families, missing = [_USUAL], set("".join(texts)) - set(" \t\r\n")
        missing -= _characters(font_manager.findfont(_USUAL))
        if missing:
            for family, path in _other_fonts():
                found = missing & _characters(path)
                if found:
                    families.append(family)
                    missing -= found
                if not missing:
                    break
        return cls(tuple(families), frozenset(missing))

    def show(self, text: str, longest: int = 40) -> str:
        """The text in one line, cut to so many characters; those that cannot be shown by their Unicode number."""
        text = " ".join(text.split())
        text = text if len(text) <= longest else text[: longest - 1] + "…"
        return "".join(c.encode("unicode_escape").decode() if c in self.missing else c for c in text)

    def apply(self, picture: Figure) -> None:
        """Sets every text of a picture; ``$`` in them is no mathematics."""
        for text in picture.findobj(_is_text):
            text.set(fontfamily=list(self.families), parse_math=False)


def _is_text(artist: Artist) -> bool:
    return isinstance(artist, Text)


@functools.cache
def _other_fonts() -> tuple[tuple[str, str], ...]:
    """Family and file of the installed fonts, one a family, the preferred first."""
    paths: dict[str, str] = {}
    for font in font_manager.fontManager.ttflist:
        if not font.name.startswith(_PLACEHOLDERS) and font.style == "normal":
            paths.setdefault(font.name, font.fname)
    ranks = {family: rank for rank, family in enumerate(_PREFERRED)}
    return tuple(sorted(paths.items(), key=lambda item: (ranks.get(item[0], len(ranks)), item[0])))


@functools.cache
def _characters(path: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # a font that is not there any more, or damaged
        return frozenset()
