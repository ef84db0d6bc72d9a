import json

import numpy as np

from trainers.metrics.slices import column_slices, length_slices, slice_figures, slices_table


def test_quartiles_of_length_hold_every_text_once():
    texts = ["字" * length for length in range(1, 101)]
    slices = length_slices(texts)
    assert list(slices) == ["1–25 characters", "26–50 characters", "51–75 characters", "76–100 characters"]
    assert sorted(np.concatenate(list(slices.values())).tolist()) == list(range(100))


def test_texts_of_one_length_are_one_group():
    assert {name: rows.tolist() for name, rows in length_slices(["ab", "cd", "ef"]).items()} == {
        "2 characters": [0, 1, 2]
    }
    assert length_slices([]) == {}


def test_many_short_texts_make_fewer_groups():
    assert list(length_slices(["a"] * 60 + ["b" * 9] * 20 + ["c" * 30] * 20)) == [
        "1 characters",
        "9 characters",
        "30 characters",
    ]


def test_values_of_a_column_are_groups_and_the_rare_ones_are_one():
    values = ["news"] * 5 + [3] * 4 + [None] * 3 + ["3"] + [f"rare {number}" for number in range(20)]
    slices = column_slices(values)
    assert [(name, len(rows)) for name, rows in slices.items()][:3] == [("news", 5), ("3", 5), ("no value", 3)]
    assert (len(slices), len(slices["3 other values"])) == (21, 3)
    assert sorted(np.concatenate(list(slices.values())).tolist()) == list(range(len(values)))


def test_every_group_has_its_figures_and_small_ones_are_marked():
    is_right = np.array([True] * 30 + [False] * 5)
    records = slice_figures(
        {"long": np.arange(30), "a|b": np.arange(30, 35), "none": np.arange(0)},
        ["accuracy", "auc"],
        lambda rows: {"accuracy": float(is_right[rows].mean()), "auc": None, "confusion_matrix": []},
        lambda rows: {"accuracy": [0.0, 0.25], "loss": [1.0, 2.0]},
    )
    assert records[0] == {
        "slice": "long",
        "examples": 30,
        "is_small": False,
        "figures": {"accuracy": 1.0, "auc": None},
        "intervals": {"accuracy": [0.0, 0.25]},
    }
    assert [(record["slice"], record["is_small"]) for record in records[1:]] == [("a|b", True)]
    json.dumps(records)
    assert slices_table(records, digits=2) == [
        "| group | examples | accuracy | auc |",
        "|---|---|---|---|",
        "| long | 30 | 1.00 (0.00 to 0.25) | – |",
        r"| a\|b * | 5 | 0.00 (0.00 to 0.25) | – |",
        "",
        r"\* Fewer than 30 examples: these figures say little.",
    ]
    assert slices_table([]) == []
