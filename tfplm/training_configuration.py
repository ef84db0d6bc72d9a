"""Configurations that every training shares: optimizer, runtime, guard, batches."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tfplm.config import Config


def _differ(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice; the spread over equal runs says nothing")
    return seeds


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_differ)]
StepRange = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]  # YAML has lists, no tuples
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # names a folder


_MOMENTS = {  # what each optimizer's source trains with; a key that is not there means nothing to it
    "adamw": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6},
    "lamb": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6},
    "lion": {"beta_1": 0.9, "beta_2": 0.99},
    "adafactor": {},
    "muon": {"beta_1": 0.9, "beta_2": 0.95, "epsilon": 1e-8},  # of Adam, which takes what is no hidden matrix
}


class OptimizerConfig(Config):
    """The optimizer with its schedule; no weight decay on biases and norms, as in BERT's code.

    ``beta_1``, ``beta_2`` and ``epsilon`` have the defaults of the type: adamw and lamb 0.9, 0.999, 1e-6; lion 0.9,
    0.99; muon 0.9, 0.95, 1e-8. A type that has no such setting refuses it. See docs/optimizers.md.
    """

    type: Literal["adamw", "lamb", "lion", "adafactor", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1  # of all steps
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0  # of the learning rate, at the last step
    weight_decay: NonNegativeFloat = 0.01
    beta_1: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    beta_2: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    epsilon: Annotated[float, Field(gt=0.0)] | None = None
    global_clipnorm: Annotated[float, Field(gt=0.0)] | None = 1.0

    @field_validator("beta_1", "beta_2", "epsilon")
    @classmethod
    def _default_of_the_type(cls, value: float | None, info: ValidationInfo) -> float | None:
        optimizer, key = info.data.get("type"), info.field_name
        if optimizer is None:  # wrong itself
            return value
        if value is None:
            return _MOMENTS[optimizer].get(key)
        if key not in _MOMENTS[optimizer]:
            raise ValueError(f"the optimizer {optimizer} has no {key}: leave it out")
        if (optimizer, key) == ("lion", "beta_1") and value == 0.0:
            raise ValueError("the optimizer lion needs a beta_1 over 0")
        return value


class RuntimeConfig(Config):
    """How the machine is used."""

    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = "auto"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: Literal["auto", True, False] = "auto"  # XLA; auto: on a GPU or TPU
    num_threads: NonNegativeInt = 0  # 0: every core
    logical_cpus: PositiveInt = 1  # devices to divide the CPU into, to rehearse strategy: mirrored without GPUs

    @field_validator("jit_compile", mode="before")
    @classmethod
    def _one_is_not_true(cls, value: object) -> object:
        if value != "auto" and not isinstance(value, bool):
            raise ValueError(f"input should be true, false or auto (found {value!r})")
        return value


class GuardConfig(Config):
    """What is done when the loss is no number any more, or explodes."""

    action: Literal["stop", "skip"] = "stop"  # skip: back to the last good checkpoint, and over the batches since
    explosion_factor: Annotated[float, Field(gt=1.0)] = 3.0  # times the median loss of the last intervals
    max_skips: PositiveInt = 3  # then it stops all the same


class TrainingConfig(Config):
    """What pretraining and fine-tuning share."""

    batch_size: PositiveInt = 32  # of all replicas and micro-batches together
    accumulation_steps: PositiveInt = 1  # micro-batches a step
    rematerialize: bool = False  # computes each block again for its gradient instead of keeping its activations
    guard: GuardConfig = GuardConfig()
    profile: StepRange | None = None  # first and last one of a trace for TensorBoard
    keep_final_checkpoint: bool = False  # of the last step; checkpoints go when the stage is done

    @model_validator(mode="after")
    def _micro_batches_are_whole(self) -> "TrainingConfig":
        if self.batch_size % self.accumulation_steps:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of accumulation_steps {self.accumulation_steps}"
            )
        if self.profile is not None and self.profile[0] > self.profile[1]:
            raise ValueError(f"profile {list(self.profile)} ends before it begins")
        return self
