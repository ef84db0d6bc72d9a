"""Which figure a study goes by."""

from trainers.studies.figures import Measure, all_figures, mean_figure, num_examples, shown_figures, undefined_in_words


def report(**figures) -> dict:
    return {"validation": figures, "test": None}


def test_a_figure_is_better_in_the_sense_in_which_runs_are_ranked():
    accuracy = Measure.of([report(accuracy=0.5, loss=1.2)], "accuracy")
    assert accuracy == Measure("accuracy", True, 100.0)
    assert round(accuracy.gain(0.5, 0.6), 6) == 10.0
    loss = Measure.of([report(accuracy=0.5, loss=1.2)], "loss")
    assert loss == Measure("loss", False, 1.0)
    assert round(loss.gain(1.2, 1.0), 6) == 0.2


def test_the_loss_of_text_is_counted_in_bits_a_byte():
    measure = Measure.of([report(loss=3.0, bits_per_byte=1.5)], "loss")
    assert measure == Measure("bits_per_byte", False, 1.0)
    assert measure.figure(report(loss=3.0, bits_per_byte=1.5), "validation") == 1.5
    assert measure.figure(report(loss=3.0, bits_per_byte=1.5), "test") is None


def test_numbers_of_a_report_become_mean_and_spread_and_the_rest_stays_away():
    runs = [report(accuracy=a, auc=auc, per_class={}, examples=7) for a, auc in ((0.5, 0.9), (0.7, None))]
    figures = all_figures(runs, "validation")
    assert figures["accuracy"]["values"] == [0.5, 0.7]
    assert figures["auc"]["values"] == [0.9]
    assert set(figures) == {"accuracy", "auc"}
    assert all_figures(runs, "test") == {}
    assert all_figures(runs[::-1], "validation")["auc"]["values"] == [0.9]


def test_a_figure_that_is_not_defined_is_left_out_of_means_and_told():
    runs = [report(pearson=value, spearman=value) for value in (None, 0.5, 0.7)]
    measure = Measure.of(runs, "pearson")
    assert measure == Measure("pearson", True, 100.0)
    assert round(mean_figure(runs, measure, "validation"), 6) == 0.6
    assert mean_figure(runs[:1], measure, "validation") is None
    assert undefined_in_words({"a": runs[1:], "b": runs}, measure) == [
        f"**b**: {name} on validation is not defined in 1 of 3 runs, which are left out of its means."
        for name in ("pearson", "spearman")
    ]


def test_of_figures_that_are_defined_nowhere_only_the_one_that_counts_is_told():
    runs = [report(recall_at_1=None, recall_at_5=None, mrr=1.0)]
    measure = Measure.of(runs, "recall_at_1")
    assert measure.name == "recall_at_1"
    (sentence,) = undefined_in_words({"a": runs}, measure)
    assert "recall at 1 on validation is not defined in 1 of 1 runs" in sentence


def test_examples_are_counted_over_the_tasks():
    assert num_examples({"examples": 5}) == 5
    assert num_examples({"tasks": {"a": {"examples": 2}, "b": {"examples": 3}}}) == 5
    assert num_examples({"accuracy": 0.5}) == 0


def test_the_figure_that_counts_stands_first():
    assert shown_figures(["loss", "accuracy", "macro_f1"], "macro_f1") == ["macro_f1", "accuracy", "loss"]
    assert shown_figures(["a", "b", "c", "d", "e"], "c") == ["c", "a", "b", "d"]
