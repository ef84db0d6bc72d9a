import pytest

from trainers.metrics.overfitting import overfitting_in_words


def history(losses, validation_losses, accuracies=None):
    entries = [{"loss": a, "val_loss": b} for a, b in zip(losses, validation_losses, strict=True)]
    for entry, accuracy in zip(entries, accuracies or [], strict=False):
        entry["val_accuracy"] = accuracy
    return entries


def test_a_validation_loss_that_rises_while_the_training_loss_falls_is_named_with_its_epoch():
    words = overfitting_in_words(history([0.9, 0.5, 0.3, 0.1], [0.8, 0.6, 0.412, 0.569], [0.6, 0.7, 0.8, 0.75]))
    assert words == (
        "Validation loss is lowest after epoch 3 (0.412) and 38 % higher at the end (0.569), while the training loss "
        "falls on, from 0.300 to 0.100: the model learns its examples by heart from there."
    )


def test_decisions_that_still_become_better_are_told_from_probabilities_that_become_worse():
    words = overfitting_in_words(history([0.9, 0.3, 0.1], [0.5, 0.4, 0.6], [0.7, 0.8, 0.85]))
    assert "Validation accuracy is best after epoch 3 only (0.850)" in words
    assert "Validation" not in overfitting_in_words(history([0.9, 0.3, 0.1], [0.5, 0.4, 0.6]), metric="macro_f1")[10:]


def test_losses_far_apart_are_named_though_none_rises():
    words = overfitting_in_words(history([0.9, 0.3, 0.1], [0.8, 0.7, 0.7]))
    assert "the training loss is 0.100 and the validation loss 0.700, though it does not rise" in words


@pytest.mark.parametrize(
    ("losses", "validation_losses"),
    [
        ([0.9, 0.6, 0.5], [0.8, 0.6, 0.5]),  # both fall
        ([0.9, 0.6, 0.5], [0.8, 0.6, 0.61]),  # a rise within the noise
        ([0.5, 0.9, 1.5], [0.5, 0.9, 1.5]),  # both rise: a training that fails, not one that overfits
        ([0.01, 0.001], [0.9, 0.01]),  # ten times as large, of nothing
        ([0.9], [0.8]),
        ([float("nan")] * 3, [0.8, 0.9, 1.0]),
        ([], []),
    ],
)
def test_losses_that_do_not_part_say_nothing(losses, validation_losses):
    assert overfitting_in_words(history(losses, validation_losses)) is None


def test_a_run_without_validation_says_nothing():
    assert overfitting_in_words([{"loss": 1.0}, {"loss": 0.1}]) is None
