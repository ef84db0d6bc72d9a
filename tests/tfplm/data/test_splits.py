from collections import Counter

import pytest

from tfplm.data.configuration import SplitConfig
from tfplm.data.splits import choose_in_all, choose_per_class, join_rare_strata, split_groups
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


def test_rare_labels_of_a_multi_label_task_are_split_together_where_a_split_would_be_empty():
    names, labels = ["p1", "p2", "o1", "o2", "l1"], [("p",), ("p",), ("o",), ("o",), ("l",)]
    for seed in range(5):
        split_of = split(names, labels, seed, multi_label=True)
        assert count(split_of) == {"train": 3, "validation": 1, "test": 1}
        assert {name[0] for name, part in split_of.items() if part == "train"} == {"p", "o", "l"}
    assert count(split(names[:3], labels[:3], multi_label=True, validation=0.0)) == {"train": 2, "test": 1}
    assert count(split(names[:2], labels[:2], multi_label=True)) == {"train": 2}


def test_rare_labels_stay_in_training_where_every_split_has_groups():
    names, labels = ["a1", "a2", "a3", "b1", "b2", "c1"], [("a",)] * 3 + [("b",)] * 2 + [("c",)]
    split_of = split(names, labels, multi_label=True)
    assert count(split_of, "a") == {"train": 1, "validation": 1, "test": 1}
    assert {split_of[name] for name in ("b1", "b2", "c1")} == {"train"}


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


def choose(labels, number, seed=0):
    texts = [f"text {n}" for n in range(len(labels))]
    return choose_in_all(texts, [(label,) for label in labels], number, seed)


def test_a_choice_of_a_number_in_all_keeps_the_proportions_of_the_labels():
    labels = ["a"] * 800 + ["b"] * 150 + ["c"] * 50
    assert Counter(labels[n] for n in choose(labels, 100)) == {"a": 80, "b": 15, "c": 5}
    assert Counter(labels[n] for n in choose(labels, 20)) == {"a": 16, "b": 3, "c": 1}
    assert Counter(labels[n] for n in choose(labels, 3)) == {"a": 1, "b": 1, "c": 1}


def test_a_larger_choice_in_all_keeps_a_smaller_one_and_another_seed_makes_another():
    labels = ["a"] * 60 + ["b"] * 9 + ["c"]
    chosen = [set(choose(labels, number)) for number in range(3, 71)]
    assert all(few < more for few, more in zip(chosen, chosen[1:], strict=False))
    assert [len(indices) for indices in chosen] == [*range(3, 71)]
    assert set(choose(labels, 20)) != set(choose(labels, 20, seed=1))


def test_an_example_of_several_labels_is_chosen_for_the_rarest_of_them():
    labels = [("a", "b") if n < 5 else ("a",) for n in range(100)]
    chosen = choose_in_all([f"text {n}" for n in range(100)], labels, 2, seed=0)
    assert {labels[n] for n in chosen} == {("a", "b"), ("a",)}


def test_more_than_there_is_cannot_be_chosen():
    with pytest.raises(UserError, match="11 training examples are asked for, and there are 10"):
        choose(["a"] * 10, 11)


def folds_of(names, labels, folds, multi_label=False, validation=0.15):
    settings = [SplitConfig(validation=validation, folds=folds, fold=fold) for fold in range(folds)]
    return [split_groups(names, labels, setting, 0, multi_label) for setting in settings]


def test_every_group_is_in_the_test_of_exactly_one_fold_and_labels_keep_their_shares():
    names, labels = [f"{label}{n}" for label in "ab" for n in range(53)], [("a",)] * 53 + [("b",)] * 53
    folds = folds_of(names, labels, 5)
    tested = Counter(name for split_of in folds for name, part in split_of.items() if part == "test")
    assert tested == dict.fromkeys(names, 1)
    for split_of in folds:
        for prefix in "ab":
            counts = count(split_of, prefix)
            assert counts["test"] in (10, 11) and counts["validation"] == 8
        assert count(split_of)["test"] in (21, 22)
    in_validation = [{name for name, part in split_of.items() if part == "validation"} for split_of in folds]
    assert not in_validation[0] & in_validation[1]


def test_a_label_with_fewer_groups_than_folds_is_named():
    names, labels = [f"g{n}" for n in range(14)], [("a",)] * 10 + [("b",)] * 4
    with pytest.raises(UserError, match="The label 'b' has 4 documents .* for 5 folds"):
        folds_of(names, labels, 5)
    with pytest.raises(UserError, match="The label 'b' has 1 document .* for 2 folds"):
        folds_of(["g1", "g2", "g3", "g3"], [("a",), ("a",), ("b",), ("b",)], 2)
    with pytest.raises(UserError, match="The data has 3 documents .* for 5 folds"):
        folds_of(["g1", "g2", "g3"], [()] * 3, 5)


def test_as_many_folds_as_groups_leave_training_data_in_each():
    for split_of in folds_of(["a1", "a2", "a3", "b1", "b2", "b3"], [("a",)] * 3 + [("b",)] * 3, 3):
        assert count(split_of, "a") == count(split_of, "b") == {"train": 1, "validation": 1, "test": 1}


def test_a_rare_label_of_a_multi_label_task_stays_in_the_training_of_every_fold():
    for split_of in folds_of(["a1", "a2", "a3", "a4", "b1"], [("a",)] * 4 + [("b",)], 4, multi_label=True):
        assert split_of["b1"] == "train"


def test_rare_labels_of_a_multi_label_task_fill_the_folds_that_would_have_no_test():
    names, labels = ["a1", "a2", "a3", "b1", "b2", "c1"], [("a",)] * 3 + [("b",)] * 2 + [("c",)]
    folds = folds_of(names, labels, 5, multi_label=True)
    tested = Counter(name for split_of in folds for name, part in split_of.items() if part == "test")
    assert tested == dict.fromkeys(names, 1)
    assert all({"train", "validation", "test"} == set(split_of.values()) for split_of in folds)


def join(strata, groups=None, **settings):
    names = groups or [f"g{n}" for n in range(len(strata))]
    return "".join(join_rare_strata(names, strata, SplitConfig(**settings)))


def test_strata_of_too_few_groups_are_joined_with_the_smaller_neighbour():
    assert join("aabbbccc") == "bbbbbccc"
    assert join("aaaabbccc") == "aaaaccccc"
    assert join("abcdd") == "bbbbb"
    assert join("aab") == "aaa"
    assert join("aab", validation=0.0, test=0.0) == "aab"
    assert join("aaabbbbccccc", folds=4) == "bbbbbbbccccc"
    assert join("aaabbb", groups=["g1", "g2", "g3", "g4", "g4", "g4"]) == "aaaaaa"


def test_strata_of_enough_groups_stay():
    assert join("aaabbbccc") == "aaabbbccc"
    assert join("aaaab", groups=["g1", "g1", "g2", "g3", "g1"]) == "aaaab"  # b is the main one of no group


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"folds": 3, "fold": 3}, "fold 3 is not one of 3 folds"),
        ({"fold": 1}, "fold 1 is not one of no folds"),
        ({"folds": 2, "validation": 0.5}, "nothing to train on"),
    ],
)
def test_folds_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        SplitConfig(**settings)
