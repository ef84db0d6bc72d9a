"""Says in words when a model learns its examples by heart."""

import math
from collections.abc import Mapping, Sequence

LEAST_RISE = 0.05  # of the validation loss behind its lowest, as a share of it
LEAST_FALL = 0.02  # of the training loss meanwhile, as a share of what it was
LEAST_RATIO = 2.0  # of the validation loss to the training loss, where the former has not risen
LEAST_GAP = 0.2  # between the two, as a share of the first validation loss


def overfitting_in_words(
    history: Sequence[Mapping[str, float]], metric: str = "accuracy", unit: str = "epoch"
) -> str | None:
    """What the losses on training and validation data say of a run.

    Args:
        history: ``loss`` and ``val_loss`` of every epoch, and where there is one, ``val_`` and the metric.
        metric: a figure of which more is better.
        unit: what an entry of the history is.

    Returns:
        A sentence or two where the losses part; None where they do not, or there is nothing to tell it from.
    """
    entries = [
        (number, entry)
        for number, entry in enumerate(history, start=1)
        if math.isfinite(entry.get("loss", math.nan)) and math.isfinite(entry.get("val_loss", math.nan))
    ]
    if len(entries) < 2:
        return None
    best, lowest = min(entries, key=lambda numbered: numbered[1]["val_loss"])
    last = entries[-1][1]
    if min(lowest["val_loss"], lowest["loss"]) <= 0:
        return None
    rise, fall = last["val_loss"] / lowest["val_loss"] - 1, 1 - last["loss"] / lowest["loss"]
    if rise >= LEAST_RISE and fall >= LEAST_FALL:
        return (
            f"Validation loss is lowest after {unit} {best} ({lowest['val_loss']:.3f}) and {100 * rise:.0f} % higher "
            f"at the end ({last['val_loss']:.3f}), while the training loss falls on, from {lowest['loss']:.3f} to "
            f"{last['loss']:.3f}: the model learns its examples by heart from there."
        ) + _metric_in_words(entries, best, metric, unit)
    gap = last["val_loss"] - last["loss"]
    if last["val_loss"] >= LEAST_RATIO * last["loss"] and gap >= LEAST_GAP * entries[0][1]["val_loss"]:
        return (
            f"At the end the training loss is {last['loss']:.3f} and the validation loss {last['val_loss']:.3f}, "
            "though it does not rise: much of what the model has learned holds for its examples alone."
        )
    return None


def _metric_in_words(entries: Sequence[tuple[int, Mapping]], lowest_loss: int, metric: str, unit: str) -> str:
    """Where the metric becomes better still behind the lowest loss, it is the probabilities that go wrong."""
    known = [(number, entry[f"val_{metric}"]) for number, entry in entries if f"val_{metric}" in entry]
    if metric == "loss" or not known:
        return ""
    number, value = max(known, key=lambda numbered: numbered[1])
    if number <= lowest_loss:
        return ""
    return (
        f" Validation {metric.replace('_', ' ')} is best after {unit} {number} only ({value:.3f}): the decisions do "
        "not become worse at once, but the probabilities become too sure."
    )
