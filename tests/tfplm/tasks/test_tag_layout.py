import numpy as np

from tfplm.tasks.tag_layout import TagLayout, tag_names


def test_the_classes_of_spans_are_read_back_as_their_labels():
    names = tag_names(["人名", "LOC"])
    assert names == ["O", "B-人名", "I-人名", "B-LOC", "I-LOC"]
    layout = TagLayout.of(names)
    assert layout.labels == ("人名", "LOC")
    assert layout.label_of.tolist() == [-1, 0, 0, 1, 1]
    assert layout.begins.tolist() == [False, True, False, True, False]


def test_a_class_goes_on_only_behind_one_of_its_label():
    steps = TagLayout.of(tag_names(["A", "B"])).legal_steps()
    allowed = {(row, column) for row, column in np.argwhere(steps == 0)}
    assert {row for row, column in allowed if column == 2} == {1, 2}  # I-A
    assert {row for row, column in allowed if column == 4} == {3, 4}  # I-B
    assert all((row, column) in allowed for row in range(6) for column in (0, 1, 3))  # the last row: the first word


def test_classes_of_other_projects_are_read_in_any_order_and_with_ends_of_spans():
    layout = TagLayout.of(["I-X", "E-X", "O", "S-X", "B-Y", "B-X"])
    assert layout.labels == ("X", "Y")
    assert layout.label_of.tolist() == [0, 0, -1, 0, 1, 0]
    assert layout.begins.tolist() == [False, False, False, True, True, True]


def test_classes_without_prefixes_begin_a_span_with_every_word():
    layout = TagLayout.of(["NN", "B-ADJ", "O"])
    assert layout.labels == ("NN", "B-ADJ")
    assert layout.begins.tolist() == [True, True, False]
    assert not layout.legal_steps().any()
