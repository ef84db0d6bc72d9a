"""Which examples an epoch is made of."""

import numpy as np


def balanced_order(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """As many draws as there are examples, from every class equally often, in random order.

    The examples of a class come one after the other through all epochs, each as often as the others but for one: a
    rare class is repeated, and of a frequent one every epoch takes another part. What is left where the draws do not
    divide by the classes goes to other classes in every epoch.

    Args:
        labels: integers (examples,); what no example has is no class.
        seed: of the order.
        epoch: from 0.

    Returns:
        Numbers of examples, int64 (examples,); a function of the arguments alone.
    """
    classes = np.unique(labels)
    shares = _shares(len(labels), len(classes), epoch)
    drawn = [
        _in_turn(np.flatnonzero(labels == label), first, count, seed, int(label))
        for label, (first, count) in zip(classes, shares, strict=True)
    ]
    return np.random.default_rng([seed, epoch]).permutation(np.concatenate(drawn))


def _shares(num_draws: int, num_classes: int, epoch: int) -> list[tuple[int, int]]:
    """By class, how many draws of it there were in the epochs before, and how many there are in this one."""
    # The draws of all epochs are dealt to the classes in turn, like cards.
    before, after = (
        (epochs * num_draws - np.arange(num_classes) + num_classes - 1) // num_classes for epochs in (epoch, epoch + 1)
    )
    return [(int(first), int(last - first)) for first, last in zip(before, after, strict=True)]


def _in_turn(examples: np.ndarray, first: int, count: int, seed: int, label: int) -> np.ndarray:
    """``count`` draws from draw number ``first`` on, of rounds that each take all examples in a new order."""
    rounds = range(first // len(examples), (first + count - 1) // len(examples) + 1)
    # The last number keeps these seeds apart from those of the epochs: zeros at the end make no difference.
    drawn = [np.random.default_rng([seed, label, number, 1]).permutation(examples) for number in rounds]
    start = first % len(examples)
    return np.concatenate(drawn)[start : start + count] if drawn else examples[:0]
