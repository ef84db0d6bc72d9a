import pytest

from tfplm.data.bad_examples import BadExamples
from tfplm.errors import UserError

SETTING = "finetune.data.on_bad_example"


def test_bad_examples_are_told_together_by_reason_with_the_first_of_each():
    bad = BadExamples("stop", SETTING)
    for line in range(1, 8):
        bad.add(f"a.conll, line {line}", "another number of columns", f"{line + 2} columns, and 2 before")
    bad.add("b.conll, line 9", "an empty word")
    with pytest.raises(UserError) as caught:
        bad.finish()
    assert str(caught.value).splitlines() == [
        "8 examples cannot be used: another number of columns (7), an empty word (1).",
        "  a.conll, line 1: 3 columns, and 2 before",
        "  a.conll, line 2: 4 columns, and 2 before",
        "  a.conll, line 3: 5 columns, and 2 before",
        "  b.conll, line 9: an empty word",
        "  … and 4 more",
        "Mend them, or set finetune.data.on_bad_example: skip to leave such examples out.",
    ]


def test_bad_examples_that_may_be_left_out_are_counted_only():
    bad = BadExamples("skip", SETTING)
    bad.add("a.json, line 1", "an empty passage")
    bad.finish()
    assert dict(bad.counts) == {"an empty passage": 1}


def test_where_nothing_is_bad_nothing_stops():
    bad = BadExamples("stop", SETTING)
    bad.finish()
    assert not bad.counts
