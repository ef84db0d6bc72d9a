"""A trace of some steps for TensorBoard's Profile tab."""

from pathlib import Path

import tensorflow as tf

from trainers.runtime import wait_for_devices


class StepProfiler:
    """Traces the steps from ``first`` to ``last`` and nothing else.

    The devices are waited for on both sides: they work behind Python, and would bring their work on the steps before
    into the trace, and leave the end of the last one out.

    Args:
        folder: TensorBoard's; the trace goes to ``plugins/profile`` in it.
        first: number of the first traced step, from 1.
        last: number of the last one.

    Source: tf.profiler.experimental.Trace, for the steps that the Profile tab counts by.
    """

    def __init__(self, folder: Path, first: int, last: int):
        self._folder, self._first, self._last = folder, first, last
        self._is_tracing = False
        self._step_trace: tf.profiler.experimental.Trace | None = None

    def before_step(self, step: int) -> None:
        """Call it right before the step of this number, from 1."""
        if self._first <= step <= self._last and not self._is_tracing:
            wait_for_devices()
            tf.profiler.experimental.start(str(self._folder))
            self._is_tracing = True
        if self._is_tracing:
            self._step_trace = tf.profiler.experimental.Trace("train", step_num=step, _r=1)
            self._step_trace.__enter__()

    def after_step(self, step: int) -> None:
        """Call it right after the step of this number."""
        self._end_step()
        if step >= self._last:
            self.close()

    def close(self) -> None:
        """Writes the trace, if one is under way; a step that failed is in it as far as it came."""
        self._end_step()
        if self._is_tracing:
            self._is_tracing = False
            wait_for_devices()
            tf.profiler.experimental.stop()

    def _end_step(self) -> None:
        if self._step_trace is not None:
            self._step_trace.__exit__(None, None, None)
            self._step_trace = None
