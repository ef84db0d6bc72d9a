import builtins
from collections import Counter

import pytest

from tfplm.data.aligned_html import read_aligned_html
from tfplm.data.configuration import CleaningConfig
from tfplm.data.pair_configuration import AlignedHtmlSource
from tfplm.errors import UserError

CONFIG = CleaningConfig()


def write_pages(folder, **pages):
    for language, page in pages.items():
        path = folder / language / "guide" / "page.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    return AlignedHtmlSource(source_folder=str(folder / "en"), target_folder=str(folder / "zh"))


def pairs_of(source, dropped=None):
    return list(read_aligned_html(source, CONFIG, Counter() if dropped is None else dropped))


def error_of(source):
    with pytest.raises(UserError) as caught:
        pairs_of(source)
    return str(caught.value)


def test_elements_with_the_same_id_are_pairs_in_the_order_of_the_source(tmp_path):
    source = write_pages(
        tmp_path,
        en="<html><body>\n<h1 id=a>Title</h1>\n<p id='b'>Some\n   <b>bold</b> text.</p><p>No id</p></body></html>",
        zh="<p id=b>一些<b>粗体</b>文字。</p><h1 id=a>标题</h1>",
    )
    pairs = pairs_of(source)
    assert [pair[:2] for pair in pairs] == [("Title", "标题"), ("Some bold text.", "一些粗体文字。")]
    assert pairs[1].origin == f"{tmp_path}/en/guide/page.html, line 3"
    assert {pair.group for pair in pairs} == {"guide/page.html"}


def test_the_innermost_blocks_count_and_inline_ids_do_not(tmp_path):
    page = "<div id=out><p id=in>{} <span id=mark>{}</span></p></div>"
    source = write_pages(tmp_path, en=page.format("one", "two"), zh=page.format("一", "二"))
    assert [pair[:2] for pair in pairs_of(source)] == [("one two", "一 二")]


def test_scripts_and_comments_are_no_text_and_a_line_break_parts_words(tmp_path):
    page = "<p id=a>one<br>two<script>var x</script><!-- note -->&amp; &eacute;</p>"
    assert pairs_of(write_pages(tmp_path, en=page, zh=page))[0].source == "one two& é"


def test_what_one_page_lacks_is_counted_and_what_is_empty_on_both_is_nothing(tmp_path):
    source = write_pages(tmp_path, en="<p id=a>x</p><p id=b>y</p><p id=e></p>", zh="<p id=a>z</p><p id=c>w</p><p id=e>")
    dropped = Counter()
    assert len(pairs_of(source, dropped)) == 1
    assert dropped == {"without_counterpart": 2}


def test_empty_pages_have_no_pairs(tmp_path):
    assert pairs_of(write_pages(tmp_path, en=" \n", zh="<p id=a>z</p>")) == []


def test_folders_without_common_files_are_an_error_that_shows_both(tmp_path):
    source = write_pages(tmp_path, en="<p id=a>x</p>", zh="<p id=a>z</p>")
    (tmp_path / "zh/guide/page.html").rename(tmp_path / "zh/page.html")
    message = error_of(source)
    assert "en has 1 files such as guide/page.html" in message
    assert "zh has 1 files such as page.html" in message


def test_a_missing_folder_is_named(tmp_path):
    source = write_pages(tmp_path, en="<p id=a>x</p>")
    assert f"There is no folder {tmp_path}/zh" in error_of(source)


def test_a_page_in_another_encoding_is_named(tmp_path):
    source = write_pages(tmp_path, en="<p id=a>x</p>", zh="")
    (tmp_path / "zh/guide/page.html").write_bytes("<p id=a>我喜欢这本书</p>".encode("gb18030") * 20)
    assert "zh/guide/page.html, line 1" in error_of(source)


def test_without_lxml_the_message_says_what_to_install(tmp_path, monkeypatch):
    source = write_pages(tmp_path, en="<p id=a>x</p>", zh="<p id=a>z</p>")
    real_import = builtins.__import__

    def without_lxml(name, *args, **kwargs):
        if name.startswith("lxml"):
            raise ImportError("No module named 'lxml'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_lxml)
    assert "pip install 'tfplm[html]'" in error_of(source)
