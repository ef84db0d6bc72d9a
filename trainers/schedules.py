"""Learning-rate schedules."""

import math

import keras
from keras import ops

from tfplm.training_configuration import OptimizerConfig


@keras.saving.register_keras_serializable(package="tfplm")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to ``peak``, then linear or cosine decay to ``final``, or constant.

    Args:
        peak: learning rate at the end of the warm-up.
        total_steps: optimizer steps of the whole run.
        warmup_steps: of which so many warm up.
        decay: "linear", "cosine" or "constant".
        final: learning rate at the last step.

    Source: Devlin et al. 2019, appendix A.2 (linear); Loshchilov and Hutter 2017 (cosine).
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int, decay: str = "linear", final: float = 0.0):
        if decay not in ("linear", "cosine", "constant"):
            raise ValueError(f"decay is '{decay}'; expected 'linear', 'cosine' or 'constant'.")
        self.peak, self.total_steps, self.warmup_steps = peak, total_steps, warmup_steps
        self.decay, self.final = decay, final

    def __call__(self, step):
        """The learning rate, float32 scalar, of the optimizer step number ``step`` (from 0)."""
        step = ops.cast(step, "float32")
        # The first step already moves; the step after the warm-up has the peak.
        rising = self.peak * (step + 1.0) / max(1, self.warmup_steps)
        done = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        done = ops.clip(done, 0.0, 1.0)
        share = {"linear": 1.0 - done, "cosine": 0.5 * (1.0 + ops.cos(math.pi * done)), "constant": ops.ones_like(done)}
        falling = self.final + (self.peak - self.final) * share[self.decay]
        return ops.where(step < self.warmup_steps, rising, falling)

    def get_config(self) -> dict:
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "final": self.final,
        }


def build_schedule(config: OptimizerConfig, total_steps: int) -> WarmupDecay:
    """The schedule of a run of ``total_steps`` optimizer steps."""
    return WarmupDecay(
        peak=config.learning_rate,
        total_steps=total_steps,
        warmup_steps=round(config.warmup_fraction * total_steps),
        decay=config.schedule,
        final=config.learning_rate * config.final_fraction,
    )
