from collections import Counter

import pytest

from tfplm.data.configuration import SplitConfig
from tfplm.data.splits import choose_per_class, split_groups
from tfplm.errors import UserError


def count(split_of, prefix=""):
    return Counter(split for group, split in split_of.items() if group.startswith(prefix))


def split(names, labels, seed=0, multi_label=False, validation=0.15, test=0.15):
    return split_groups(names, labels, SplitConfig(validation=validation, test=test), seed, multi_label)


def test_every_label_gives_the_fractions_of_its_groups():
    names = [f"a{n}" for n in range(100)] + [f"b{n}" for n in range(20)]
    labels = [("a",)] * 100 + [("b",)] * 20
    split_of = split(names, labels)
    assert count(split_of, "a") == {"train": 70, "validation": 15, "test": 15}
    assert count(split_of, "b") == {"train": 14, "validation": 3, "test": 3}


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    names, labels = [f"g{n}" for n in range(50)], [("a",)] * 50
    assert split(names, labels) == split(names[::-1], labels)
    assert split(names, labels) != split(names, labels, seed=1)


@pytest.mark.parametrize("num_groups", [3, 4, 5, 6])
@pytest.mark.parametrize("fraction", [0.01, 0.15, 0.45])
def test_few_groups_still_give_one_to_every_split(num_groups, fraction):
    names = [f"g{n}" for n in range(num_groups)]
    counts = count(split(names, [("a",)] * num_groups, validation=fraction, test=fraction))
    assert min(counts["train"], counts["validation"], counts["test"]) >= 1


def test_a_fraction_of_nothing_gives_nothing():
    assert count(split(["g1", "g2"], [("a",)] * 2, validation=0.0)) == {"train": 1, "test": 1}
    assert count(split(["g1"], [("a",)], validation=0.0, test=0.0)) == {"train": 1}


def test_too_few_groups_are_counted():
    with pytest.raises(UserError, match="The label 'b' has 2 documents") as caught:
        split(["a1", "a2", "a3", "b1", "b2"], [("a",)] * 3 + [("b",)] * 2)
    assert "at least 3: one each for train, validation and test" in str(caught.value)


def test_a_rare_label_of_a_multi_label_task_stays_in_training():
    split_of = split(["a1", "a2", "a3", "b1"], [("a",)] * 3 + [("b",)], multi_label=True)
    assert split_of["b1"] == "train"


def test_a_group_counts_for_the_label_of_most_of_its_examples():
    groups = ["g1"] * 3 + ["g2"] * 3 + ["g3"] * 3
    labels = [("a",), ("a",), ("b",)] * 3
    assert count(split(groups, labels)) == {"train": 1, "validation": 1, "test": 1}


def test_a_larger_choice_keeps_a_smaller_one():
    texts = [f"text {n}" for n in range(200)]
    labels = [("a",) if n % 4 else ("b",) for n in range(200)]
    few, more = choose_per_class(texts, labels, 10, seed=3), choose_per_class(texts, labels, 30, seed=3)
    assert Counter(labels[n] for n in few) == {("a",): 10, ("b",): 10}
    assert set(few) < set(more)
    assert few == sorted(few)
    assert few != choose_per_class(texts, labels, 10, seed=4)


def test_the_choice_depends_on_the_texts_and_not_on_their_order():
    texts, labels = [f"text {n}" for n in range(50)], [("a",)] * 50
    chosen = {texts[n] for n in choose_per_class(texts, labels, 10, seed=0)}
    assert chosen == {texts[::-1][n] for n in choose_per_class(texts[::-1], labels, 10, seed=0)}


def test_every_class_of_a_multi_label_task_has_its_number():
    labels = [("a", "b"), ("b",), ("a",), ()] * 25
    chosen = choose_per_class([f"text {n}" for n in range(100)], labels, 5, seed=0)
    counts = Counter(name for n in chosen for name in labels[n] or ("none",))
    assert min(counts["a"], counts["b"]) >= 5
    assert counts["none"] == 5


def test_no_limit_chooses_everything():
    assert choose_per_class(["x", "y"], [("a",), ("b",)], None, seed=0) == [0, 1]
