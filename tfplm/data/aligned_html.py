"""Pairs from the same HTML pages in two languages, whose elements carry the same ids."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tfplm.data.configuration import CleaningConfig
from tfplm.data.pair import Pair
from tfplm.data.pair_configuration import AlignedHtmlSource
from tfplm.data.text_files import read_blocks
from tfplm.errors import UserError

_BLOCKS = "address article aside blockquote caption dd div dt figcaption h1 h2 h3 h4 h5 h6 li main p pre section td th"
_HAS_ID = f"[@id][{' or '.join(f'self::{tag}' for tag in _BLOCKS.split())}]"
_INNERMOST = f"//*{_HAS_ID}[not(descendant::*{_HAS_ID})]"
_TEXTS = ".//text()[not(ancestor::script or ancestor::style)]"


def read_aligned_html(source: AlignedHtmlSource, cleaning: CleaningConfig, dropped: Counter[str]) -> Iterator[Pair]:
    """Reads the pairs of every page that is in both folders, in the order of the source's elements.

    Args:
        source: the folders.
        cleaning: how files are read.
        dropped: counts the elements that the other page lacks, as "without_counterpart"; added to.

    Yields:
        The pairs, unless both sides are empty. White space is one space; a page's relative path is the group.

    Raises:
        UserError: lxml is not installed, a folder is missing, no file is in both, or a file cannot be read.
    """
    folder, other_folder = _folder(source.source_folder), _folder(source.target_folder)
    for name in _common_files(folder, other_folder, source.pattern):
        elements, others = _elements(folder / name, cleaning), _elements(other_folder / name, cleaning)
        dropped["without_counterpart"] += len(elements.keys() ^ others.keys())
        for element_id, (line, text) in elements.items():
            other_line, other = others.get(element_id, (0, ""))
            if other_line and (text or other):
                yield Pair(text, other, f"{folder / name}, line {line}", name)


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        found = f"{folder} is no folder." if folder.exists() else f"There is no folder {folder}."
        raise UserError(found, "Expected a folder of HTML files.", f"Relative paths start at {Path.cwd()}.")
    return folder


def _common_files(folder: Path, other_folder: Path, pattern: str) -> list[str]:
    names, others = (
        {file.relative_to(root).as_posix() for file in root.glob(pattern) if file.is_file()}
        for root in (folder, other_folder)
    )
    if not names & others:
        shown = " and ".join(
            f"{root} has {len(found):,} files" + (f" such as {min(found)}" if found else "")
            for root, found in ((folder, names), (other_folder, others))
        )
        raise UserError(
            f"No file that matches '{pattern}' is in both folders: {shown}.",
            "Expected the same relative file names below source_folder and target_folder.",
            "Name the folders of the two languages, one level above the files that they share, or set pattern.",
        )
    return sorted(names & others)


def _elements(path: Path, cleaning: CleaningConfig) -> dict[str, tuple[int, str]]:
    """The line and the text of the innermost blocks with an id, by their id; of two with the same id the first."""
    etree = _etree()
    page = "".join(block for _, block in read_blocks(path, cleaning))
    root = etree.fromstring(page.encode(), etree.HTMLParser(encoding="utf-8")) if page.strip() else None
    elements: dict[str, tuple[int, str]] = {}
    for line_break in root.iter("br") if root is not None else ():
        line_break.tail = f" {line_break.tail or ''}"
    for element in root.xpath(_INNERMOST) if root is not None else ():
        text = " ".join("".join(element.xpath(_TEXTS)).split())
        elements.setdefault(element.get("id"), (element.sourceline, text))
    return elements


def _etree():
    try:
        from lxml import etree
    except ImportError as error:
        raise UserError(
            f"HTML cannot be read: {error}.", "Expected the package lxml.", "pip install 'tfplm[html]', or lxml itself."
        ) from error
    return etree
