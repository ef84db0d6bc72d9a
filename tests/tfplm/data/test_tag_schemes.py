import pytest

from tfplm.data.tag_schemes import find_scheme, spans_of_tags, unfit_tag

EXPECTED = [(0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC"), (5, 7, "LOC")]
WRITTEN = {
    "iob1": "I-PER I-PER B-PER O I-LOC B-LOC I-LOC",
    "iob2": "B-PER I-PER B-PER O B-LOC B-LOC I-LOC",
    "iobes": "B-PER E-PER S-PER O S-LOC B-LOC E-LOC",
}


@pytest.mark.parametrize("scheme", WRITTEN)
def test_every_scheme_says_the_same_spans_and_is_told_from_its_tags(scheme):
    tags = WRITTEN[scheme].split()
    assert find_scheme([tags]) == scheme
    assert spans_of_tags(tags, scheme) == (EXPECTED, 0)


@pytest.mark.parametrize(
    "tags", ["B-PER L-PER U-PER O U-LOC B-LOC L-LOC", "B_PER E_PER W_PER O W_LOC B_LOC E_LOC"], ids=["bilou", "bmewo"]
)
def test_the_other_names_of_iobes_are_read_alike(tags):
    assert find_scheme([tags.split()]) == "iobes"
    assert spans_of_tags(tags.split(), "iobes") == (EXPECTED, 0)


def test_a_long_span_of_bmes_is_one():
    assert spans_of_tags(["B-X", "M-X", "M-X", "E-X"], "iobes") == ([(0, 4, "X")], 0)


def test_plain_tags_make_every_word_a_span_of_its_own():
    tags = ["NN", "NN", "B-ADJ", "."]
    assert find_scheme([tags]) == "plain"
    assert spans_of_tags(tags, "plain") == ([(0, 1, "NN"), (1, 2, "NN"), (2, 3, "B-ADJ"), (3, 4, ".")], 0)


def test_words_without_a_plain_tag_are_outside_and_neighbours_of_one_tag_stay_told_apart():
    tags = ["PER", "PER", "O", "LOC"]
    assert find_scheme([tags]) == "plain"
    assert spans_of_tags(tags, "plain") == ([(0, 1, "PER"), (1, 2, "PER"), (3, 4, "LOC")], 0)
    assert spans_of_tags(["O"], "plain") == ([], 0)


def test_io_joins_neighbours_of_one_tag():
    assert spans_of_tags(["nr", "nr", "v", "O", "nr"], "io") == ([(0, 2, "nr"), (2, 3, "v"), (4, 5, "nr")], 0)


def test_a_tag_that_goes_on_with_nothing_begins_a_span_and_is_counted():
    assert spans_of_tags(["O", "I-X", "I-Y", "I-Y"], "iob2") == ([(1, 2, "X"), (2, 4, "Y")], 2)
    assert spans_of_tags(["I-X", "B-X", "O"], "iob1") == ([(0, 1, "X"), (1, 2, "X")], 0)


def test_a_span_of_iobes_without_its_end_is_counted():
    assert spans_of_tags(["B-X", "O", "B-X", "S-X", "E-Y", "B-X"], "iobes") == (
        [(0, 1, "X"), (2, 3, "X"), (3, 4, "X"), (4, 5, "Y"), (5, 6, "X")],
        4,
    )


def test_tags_without_a_label_are_spans_of_one_kind():
    tags = ["B", "I", "O", "B"]
    assert find_scheme([tags]) == "iob2"
    assert spans_of_tags(tags, "iob2") == ([(0, 2, "span"), (3, 4, "span")], 0)


def test_one_strange_tag_among_many_is_a_mistake_and_not_another_scheme():
    sentences = [["B-X", "I-X"]] * 20 + [["X-X", "O"]]
    assert find_scheme(sentences) == "iob2"
    assert unfit_tag(["O", "X-X"], "iob2") == 1
    assert unfit_tag(["E-X"], "iob2") == 0
    assert unfit_tag(["E-X", "O"], "iobes") is None
    assert unfit_tag(["anything"], "plain") is None


@pytest.mark.parametrize("scheme", WRITTEN)
def test_a_label_that_means_outside_does_not_fit(scheme):
    assert unfit_tag(["O", "B-OTHER", "B-O"], scheme) == 2
    assert unfit_tag(["B_O"], scheme) == 0
