"""What the doctor finds: figures of every stage, and what a person should know."""

from dataclasses import asdict, dataclass, field

from tfplm.errors import UserError
from trainers.costs import Memory
from trainers.machine import Machine, Placement

COMPUTE_OPTIMAL_TOKENS = 20  # a parameter; Hoffmann et al. 2022, table 3


@dataclass(frozen=True)
class Finding:
    """Something that a person should know before the run.

    Args:
        level: "stop", which would end the run; "warning", which costs time, memory or quality; "note".
        message: what was found.
        remedy: what to do.
    """

    level: str
    message: str
    remedy: str = ""

    @classmethod
    def of_error(cls, level: str, error: UserError) -> "Finding":
        """What an error that was caught says."""
        return cls(level, " ".join(filter(None, [error.found, error.expected])), error.remedy)


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will cost. Every figure but the counts of parameters is an estimate.

    Args:
        name: "pretrain", or "finetune." and the candidate.
        num_runs: of the candidate: its seeds.
        parameters: all of them.
        embedding_parameters: those of them that are looked up.
        forward_flops_per_token: floating-point operations of the forward pass.
        step_flops_per_token: of a training step.
        memory: bytes on a device.
        tokens_per_step: padding included, and for encoder-decoders the tokens of both.
        text_tokens_per_step: those of the corpus that a step of pretraining learns from; else ``tokens_per_step``.
        seconds_per_step: None without a calibration.
        steps: of a run; None where the number of examples is not known.
        data_tokens: of the training data; None where it is not known.
        checkpoint_bytes: of one checkpoint.
        disk_bytes: of all that the stage keeps at once.
    """

    name: str
    num_runs: int
    parameters: int
    embedding_parameters: int
    forward_flops_per_token: float
    step_flops_per_token: float
    memory: Memory
    tokens_per_step: int
    text_tokens_per_step: int
    seconds_per_step: float | None
    steps: int | None
    data_tokens: int | None
    checkpoint_bytes: float
    disk_bytes: float

    @property
    def tokens(self) -> int | None:
        """That are computed in a run."""
        return None if self.steps is None else self.steps * self.tokens_per_step

    @property
    def tokens_per_second(self) -> float | None:
        return None if self.seconds_per_step is None else self.tokens_per_step / self.seconds_per_step

    @property
    def hours(self) -> float | None:
        """Of all runs, without validation, start and compilation."""
        if self.steps is None or self.seconds_per_step is None:
            return None
        return self.num_runs * self.steps * self.seconds_per_step / 3600

    @property
    def tokens_per_parameter(self) -> float | None:
        return None if self._text_tokens is None else self._text_tokens / self.parameters

    @property
    def passes(self) -> float | None:
        """How often the data is read."""
        return self._text_tokens / self.data_tokens if self._text_tokens is not None and self.data_tokens else None

    @property
    def _text_tokens(self) -> int | None:
        return None if self.steps is None else self.steps * self.text_tokens_per_step

    def record(self) -> dict:
        """All figures, for JSON."""
        derived = ("tokens", "tokens_per_second", "hours", "tokens_per_parameter", "passes")
        memory = asdict(self.memory) | {"total": self.memory.total}
        return asdict(self) | {"memory": memory} | {name: getattr(self, name) for name in derived}


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Args:
        machine: where it was asked.
        placement: None where the machine cannot serve the strategy.
        is_compiled: whether XLA compiles the step.
        precision: of the run.
        matmul_ceiling: operations a second of a large matrix product; None without a calibration.
        peak_flops: of a known accelerator.
        stages: estimates.
        shard_bytes: of the corpus on disk; None where it is not known.
        free_disk_bytes: where output_dir is.
        findings: the worst first.
    """

    machine: Machine
    placement: Placement | None
    is_compiled: bool
    precision: str
    matmul_ceiling: float | None
    peak_flops: float | None
    stages: list[StageEstimate]
    shard_bytes: float | None
    free_disk_bytes: int
    findings: list[Finding] = field(default_factory=list)

    @property
    def would_run(self) -> bool:
        """Whether nothing was found that ends the run."""
        return all(finding.level != "stop" for finding in self.findings)

    def record(self) -> dict:
        """Everything, for JSON."""
        return asdict(self) | {"would_run": self.would_run, "stages": [stage.record() for stage in self.stages]}
