import bz2
import gzip
import lzma

import pytest
import zstandard

from tfplm.data.cleaning import clean_text
from tfplm.data.configuration import CleaningConfig
from tfplm.data.package_descriptions import read_package_descriptions
from tfplm.errors import UserError

CONFIG = CleaningConfig()
LIST = """Package: first
Description-md5: 0123
Description-en: thing that does
 The first thing does
 a lot – 很多.
 .
 It can:
  * run
  * walk
 and more.

Package: first-doc
Description-en: thing that does (manual)
 The first thing does
 a lot – 很多.

Package: bare
Description-en: nothing more to say
"""


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path):
    return list(read_package_descriptions(path, CONFIG))


def error_of(path):
    with pytest.raises(UserError) as caught:
        read(path)
    return str(caught.value)


def test_long_descriptions_are_sources_with_their_lines_joined(tmp_path):
    pairs = read(write(tmp_path / "list", LIST))
    assert [pair.target for pair in pairs] == ["thing that does", "thing that does (manual)", "nothing more to say"]
    text = "The first thing does a lot – 很多.\n\nIt can:\n* run\n* walk\nand more."
    assert clean_text(pairs[0].source, CONFIG) == text
    assert [pair.origin for pair in pairs] == [f"{tmp_path}/list, line {line}" for line in (3, 13, 18)]
    assert pairs[2].source == ""


def test_packages_that_begin_with_the_same_paragraph_are_a_group(tmp_path):
    first, manual, _ = read(write(tmp_path / "list", LIST))
    assert first.group == manual.group
    other = read(write(tmp_path / "other", LIST.replace("a lot", "little")))[0]
    assert first.group != other.group


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress), (".zst", zstandard.compress)],
)
def test_packed_lists_are_read_as_they_are(tmp_path, suffix, pack):
    plain = read(write(tmp_path / "list", LIST))
    packed = read(write(tmp_path / f"list{suffix}", pack(LIST.encode())))
    assert [pair[:2] for pair in packed] == [pair[:2] for pair in plain]


def test_a_list_that_apt_packed_with_lz4_is_recognised(tmp_path):
    assert "is LZ4 data" in error_of(write(tmp_path / "list.lz4", b"\x04\x22\x4d\x18" + b"x" * 50))


def test_what_is_no_list_is_an_error_with_its_line(tmp_path):
    message = error_of(write(tmp_path / "prose", "Package: a\n\nOnce upon a time\n"))
    assert f"{tmp_path}/prose, line 3" in message
    assert "Once upon a time" in message
    assert "line 1" in error_of(write(tmp_path / "indented", "  a\n"))
    assert "has no package descriptions" in error_of(write(tmp_path / "fields", "Package: a\nVersion: 1\n"))
