import pytest
import tensorflow as tf
from tokenizers import normalizers

from tfplm.tokenizers.character_map import CharacterMap
from tfplm.tokenizers.offsets import Spans
from tfplm.tokenizers.rewriting import CharacterRules, NormalForm, Prefix, Replacement, Transcoding, rewrite, trace


def sources(steps, texts, spans):
    """The texts that spans of the changed texts come from: spans are (text, start, end)."""
    stages = rewrite(steps, tf.constant(texts))
    rows, starts, ends = (tf.constant(part, tf.int64) for part in zip(*spans, strict=True))
    found = trace(steps, stages, Spans(rows, starts, ends))
    places = zip(*(part.numpy().tolist() for part in found), strict=True)
    return [text.decode() for text in stages[-1].numpy()], [texts[row][start:end] for row, start, end in places]


def characters_of(steps, texts):
    """The changed texts, and what each of their characters comes from."""
    changed = [text.decode() for text in rewrite(steps, tf.constant(texts))[-1].numpy()]
    spans = [(row, place, place + 1) for row, text in enumerate(changed) for place in range(len(text))]
    return changed, sources(steps, texts, spans)[1]


@pytest.mark.parametrize(
    ("form", "text", "changed", "parts"),
    [
        ("NFC", "xe\u0301中", "xé中", ["x", "e\u0301", "中"]),
        ("NFD", "xé中", "xe\u0301中", ["x", "é", "é", "中"]),
        ("NFKC", "a½ｶﾞ", "a1⁄2ガ", ["a", "½", "½", "½", "ｶﾞ"]),
        ("NFKD", "①각", "1\u1100\u1161\u11a8", ["①", "각", "각", "각"]),
    ],
)
def test_normal_forms_know_their_characters(form, text, changed, parts):
    assert characters_of([NormalForm(form)], ["", text, ""]) == (["", changed, ""], parts)


def test_rules_for_characters_know_their_characters():
    rules = CharacterRules(
        CharacterMap(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]).normalize_str)
    )
    assert characters_of([rules], ["", "áe\u0301\u0302", "\u0301", "b"]) == (
        ["", "ae", "", "b"],
        ["á", "e\u0301\u0302", "b"],
    )


def test_replacements_know_what_they_replaced():
    steps = [Replacement("``", '"'), Replacement("a", "xyz"), Replacement("-", "")]
    texts = ["``a``", "", "b-ca", "```"]
    changed, parts = characters_of(steps, texts)
    assert changed == ['"xyz"', "", "bcxyz", '"`']
    assert parts == ["``", "a", "a", "a", "``", "b", "c", "a", "a", "a", "``", "`"]


def test_spans_over_a_replacement_have_all_of_it():
    steps = [Replacement("--", "—"), Replacement("b", "")]
    spans = [(1, 0, 3), (1, 1, 3), (1, 0, 1), (1, 2, 3)]
    changed, parts = sources(steps, ["", "a--bc"], spans)
    assert changed == ["", "a—c"]
    assert parts == ["a--bc", "--bc", "a", "c"]


def test_a_prefix_comes_from_nothing():
    changed, parts = characters_of([Prefix("▁", unless=(" ",))], ["ab", "", " c"])
    assert changed == ["▁ab", "", " c"]
    assert parts == ["", "a", "b", " ", "c"]


def test_steps_are_traced_through_all_of_them():
    steps = [Transcoding(), Replacement("``", "½"), NormalForm("NFKC"), Prefix("▁")]
    changed, parts = characters_of(steps, ["é``é", "中"])
    assert changed == ["▁é1⁄2é", "▁中"]
    assert parts == ["", "é", "``", "``", "``", "é", "", "中"]
