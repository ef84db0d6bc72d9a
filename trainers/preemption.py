"""Preemption: SIGTERM, which comes before a machine is taken away, saves a checkpoint and ends the training."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np

from tfplm.failures import Preempted
from trainers.checkpoints import metric_state, restore_metric_state


class PreemptionNotice:
    """Whether SIGTERM has come.

    Attributes:
        is_given: set by the signal.
    """

    def __init__(self):
        self.is_given = False


@contextlib.contextmanager
def preemption_notice() -> Iterator[PreemptionNotice]:
    """Notes SIGTERM inside the block instead of ending; a second one ends the process at once.

    Outside the main thread, where Python takes no handlers, nothing is changed. The handler from before is put back.

    Raises:
        Preempted: the signal came, and the block ended without anybody having heeded it.
    """
    notice = PreemptionNotice()
    if threading.current_thread() is not threading.main_thread():
        yield notice
        return

    def note(number: int, frame) -> None:
        notice.is_given = True
        signal.signal(number, signal.SIG_DFL)  # the system's: it ends even a step that never returns

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield notice
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
    if notice.is_given:
        raise Preempted(None)


class PreemptionCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint and raises Preempted behind the first step that ends after the notice.

    The last step of an interval waits for the end of the interval, validation included, and a loss (or another metric)
    that is no number for the guard: neither is a state to go on from. Place it behind every callback whose state
    travels in the checkpoint, and behind the guard.

    Args:
        notice: from `preemption_notice`.
        save: writes a checkpoint and returns its step.
    """

    def __init__(self, notice: PreemptionNotice, save: Callable[[], int]):
        super().__init__()
        self._notice, self._save = notice, save

    def on_train_batch_end(self, batch, logs=None):
        if not self._notice.is_given or batch + 1 == self.params["steps"]:
            return
        if all(np.isfinite(values).all() for values in metric_state(self.model).values()):
            raise Preempted(self._save())

    def on_epoch_end(self, epoch, logs=None):
        if self._notice.is_given:
            raise Preempted(self._save())


class ContinuedInterval(keras.callbacks.Callback):
    """Begins the first interval with the metrics of a checkpoint that was saved in its middle.

    Args:
        arrays: of the checkpoint, with what ``metric_state`` gave in them.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self._arrays: Mapping[str, np.ndarray] | None = arrays

    def on_epoch_begin(self, epoch, logs=None):  # Keras has set the metrics back to zero just before
        if self._arrays is not None:
            restore_metric_state(self.model, self._arrays)
            self._arrays = None
