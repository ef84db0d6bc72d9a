"""What a run will cost and what would slow it down in silence, said before anything is spent."""

import json
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig, PretrainStage
from tfplm.finetuning_configuration import CandidateConfig
from tfplm.models.build import parse_model_config
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import span_lengths
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import DESCRIPTION_FILE
from trainers import costs
from trainers.ceiling import matmul_ceiling, peak_flops
from trainers.costs import Workload, finetuning_workload, pretraining_workload
from trainers.diagnosis import COMPUTE_OPTIMAL_TOKENS, Diagnosis, Finding, StageEstimate
from trainers.doctor_data import corpus_tokens, examples_of
from trainers.downgrades import silent_downgrades
from trainers.machine import Machine, Placement, place
from trainers.runtime import configure_runtime
from trainers.step_time import seconds_per_step

# Devlin et al. 2019, A.2; Muennighoff et al. 2023, section 6; Raffel et al. 2020, section 3.4.2.
_GOOD_PASSES = {"masked_lm": 40, "causal_lm": 4, "prefix_lm": 4, "span_corruption": 64}
_UNUSABLE_MEMORY = 0.9  # of the free memory: the rest is for the process itself


def diagnose(experiment: ExperimentConfig, calibrate: bool = True, machine: Machine | None = None) -> Diagnosis:
    """Estimates what every training stage of an experiment costs here, and looks for silent downgrades.

    Nothing is written and nothing is fetched.

    Args:
        experiment: the whole configuration.
        calibrate: whether to time the stages' matrix products on this machine, some seconds.
        machine: that the experiment would run on; None: this one.

    Raises:
        UserError: the experiment has nothing to train.
    """
    return _Doctor(experiment, calibrate, machine or Machine.here()).diagnose()


class _Doctor:
    """One visit: the experiment, the machine, and what was found so far."""

    def __init__(self, experiment: ExperimentConfig, calibrate: bool, machine: Machine):
        if experiment.pretrain is None and experiment.finetune is None:
            raise UserError("The configuration trains nothing: it has neither a pretrain nor a finetune section.")
        self.experiment, self.calibrate, self.machine = experiment, calibrate, machine
        self.findings: list[Finding] = []
        self.examples = None if experiment.finetune is None else examples_of(experiment, self.findings.append)
        try:
            configure_runtime(experiment.runtime)
        except UserError as error:
            self._stop(error)
        try:
            self.placement: Placement | None = place(experiment.runtime, self.machine)
        except UserError as error:
            self.placement = None
            self._stop(error)

    def diagnose(self) -> Diagnosis:
        precision = self.experiment.runtime.precision
        stages = [self._estimate(*stage) for stage in self.stages]
        has_attention = any(costs.has_attention(workload) for _, workload, _ in self.stages)
        self.findings += silent_downgrades(self.experiment.runtime, self.machine, self.is_compiled, has_attention)
        self.findings += [*self._data_findings(), *self._disk_findings(stages)]
        for stage in stages:
            self.findings += self._stage_findings(stage)
        order = ["stop", "warning", "note"]
        return Diagnosis(
            machine=self.machine,
            placement=self.placement,
            is_compiled=self.is_compiled,
            precision=precision,
            matmul_ceiling=matmul_ceiling(precision) if self.calibrate else None,
            peak_flops=peak_flops(self.machine.name, precision),
            stages=stages,
            shard_bytes=self.shard_bytes,
            free_disk_bytes=_free_disk(Path(self.experiment.output_dir)),
            findings=sorted(self.findings, key=lambda finding: order.index(finding.level)),
        )

    def _stop(self, error: UserError) -> None:
        self.findings.append(Finding.of_error("stop", error))

    @cached_property
    def is_compiled(self) -> bool:
        """Whether XLA compiles the step: as asked for, and by itself on an accelerator."""
        wanted = self.experiment.runtime.jit_compile
        return self.machine.kind != "CPU" if wanted == "auto" else wanted

    # The stages.

    @cached_property
    def stages(self) -> list[tuple[str, Workload, CandidateConfig | None]]:
        """Name, step and, in fine-tuning, candidate of everything that is trained."""
        return list(self._stages())

    def _stages(self) -> Iterator[tuple[str, Workload, CandidateConfig | None]]:
        pretrain, finetune = self.experiment.pretrain, self.experiment.finetune
        vocabulary_size = self.experiment.tokenizer.vocabulary_size
        if pretrain is not None:
            yield "pretrain", pretraining_workload(pretrain, vocabulary_size), None
        for name, candidate in finetune.candidates.items() if finetune is not None else ():
            try:
                model = self._model_of(candidate)
            except UserError as error:
                self.findings.append(Finding("warning", f"finetune.{name} is not estimated: {error.found}"))
                continue
            optimizer, num_classes = candidate.optimizer.type, self.examples.num_classes
            workload = finetuning_workload(finetune, model, vocabulary_size, optimizer, num_classes)
            yield f"finetune.{name}", workload, candidate

    def _model_of(self, candidate: CandidateConfig) -> ModelConfig:
        if candidate.model is not None:
            return candidate.model
        if candidate.initialize_from == PretrainStage:
            return self.experiment.pretrain.model
        run = RunDirectory(candidate.initialize_from)
        run.require_one_of(("pretrain", "import"), run.model)
        return _saved_model_config(run.model / DESCRIPTION_FILE)

    def _estimate(self, name: str, workload: Workload, candidate: CandidateConfig | None) -> StageEstimate:
        precision = self.experiment.runtime.precision
        placement = self.placement or Placement("one_device", 1, 1, share_cpu=True)
        pretrain = self.experiment.pretrain
        steps = pretrain.steps if candidate is None else self._finetuning_steps(candidate, workload.model)
        checkpoint = costs.checkpoint_bytes(workload)
        kept = pretrain.keep_checkpoints + pretrain.keep_best_checkpoints + 1 if candidate is None else 2
        num_runs = 1 if candidate is None else len(self.experiment.finetune.seeds)
        return StageEstimate(
            name=name,
            num_runs=num_runs,
            parameters=costs.parameters(workload),
            embedding_parameters=costs.embedding_parameters(workload),
            forward_flops_per_token=costs.forward_flops_per_step(workload) / workload.tokens,
            step_flops_per_token=costs.step_flops(workload) / workload.tokens,
            memory=costs.memory_per_device(workload, precision, self.is_compiled, placement.num_replicas),
            tokens_per_step=workload.tokens,
            text_tokens_per_step=self._text_tokens(workload) if candidate is None else workload.tokens,
            seconds_per_step=seconds_per_step(workload, precision, self.is_compiled, placement, self.machine.kind)
            if self.calibrate
            else None,
            steps=steps,
            data_tokens=self.corpus_tokens if candidate is None else None,
            checkpoint_bytes=checkpoint,
            disk_bytes=kept * checkpoint + num_runs * costs.parameters(workload) * costs.FLOAT32_BYTES,
        )

    def _finetuning_steps(self, candidate: CandidateConfig, model: ModelConfig) -> int | None:
        steps = self.examples.steps_per_epoch(model)
        return None if steps is None else candidate.epochs * steps

    def _text_tokens(self, workload: Workload) -> int:
        """Of the corpus that a step of pretraining learns from."""
        objective, length = self.experiment.pretrain.objective, workload.sequence_length
        if objective.type == "span_corruption":
            length = span_lengths(objective, length).text
        return workload.batch_size * length

    # Data.

    @cached_property
    def corpus_tokens(self) -> int | None:
        """Tokens to pretrain on."""
        return corpus_tokens(self.experiment, self.findings.append)

    @cached_property
    def shard_bytes(self) -> float | None:
        if self.experiment.corpus is None or self.corpus_tokens is None:
            return None
        return self.corpus_tokens * (2 if self.experiment.tokenizer.vocabulary_size <= 2**16 else 4)

    # Findings.

    def _data_findings(self) -> Iterator[Finding]:
        finetune = self.experiment.finetune
        for name, config in (("pretrain", self.experiment.pretrain), ("finetune", finetune)):
            if config is None or self.placement is None:
                continue
            parts = self.placement.num_replicas * config.accumulation_steps
            if config.batch_size % parts:
                yield Finding(
                    "stop",
                    f"{name}.batch_size {config.batch_size} does not divide into {self.placement.num_replicas} "
                    f"replicas with {config.accumulation_steps} micro-batches each.",
                    f"Set it to a multiple of {parts}.",
                )
        if self.examples is not None:
            yield from self.examples.findings()

    def _disk_findings(self, stages: list[StageEstimate]) -> Iterator[Finding]:
        needed = sum(stage.disk_bytes for stage in stages) + (self.shard_bytes or 0)
        free = _free_disk(Path(self.experiment.output_dir))
        if needed > free:
            yield Finding(
                "warning",
                f"{self.experiment.output_dir} needs about {needed / 1e9:.1f} GB of disk; {free / 1e9:.1f} are free.",
                "Choose another output_dir, or keep fewer checkpoints.",
            )

    def _stage_findings(self, stage: StageEstimate) -> Iterator[Finding]:
        yield from self._memory_findings(stage)
        if stage.name != "pretrain":
            return
        if stage.data_tokens is not None and stage.data_tokens < stage.text_tokens_per_step:
            yield Finding(
                "warning",
                f"pretrain: the corpus has about {stage.data_tokens:,} tokens, fewer than the "
                f"{stage.text_tokens_per_step:,} of a step.",
                "Lower batch_size, or add text.",
            )
        good = _GOOD_PASSES[self.experiment.pretrain.objective.type]
        if stage.passes is not None and stage.passes > good:
            yield Finding(
                "warning",
                f"pretrain: {stage.passes:,.0f} times through the text; beyond {good} a further time adds little.",
                "Lower pretrain.steps, or add text.",
            )
        if stage.tokens_per_parameter < COMPUTE_OPTIMAL_TOKENS / 2:
            yield Finding(
                "note",
                f"pretrain: {stage.tokens_per_parameter:.1f} tokens a parameter; for the same operations a smaller "
                f"model with about {COMPUTE_OPTIMAL_TOKENS} would have the lower loss (Hoffmann et al. 2022).",
            )

    def _memory_findings(self, stage: StageEstimate) -> Iterator[Finding]:
        if self.machine.kind != "CPU" or self.machine.memory_bytes is None:
            return
        devices = self.placement.devices if self.placement is not None else 1
        if devices * stage.memory.total > _UNUSABLE_MEMORY * self.machine.memory_bytes:
            yield Finding(
                "warning",
                f"{stage.name} needs about {devices * stage.memory.total / 1e9:.1f} GB of memory, and "
                f"{self.machine.memory_bytes / 1e9:.1f} are free.",
                "Raise accumulation_steps, set rematerialize: true, or lower batch_size.",
            )


def _free_disk(folder: Path) -> int:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def _saved_model_config(path: Path) -> ModelConfig:
    try:
        return parse_model_config(json.loads(path.read_text(encoding="utf-8"))["encoder"], str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.") from error
