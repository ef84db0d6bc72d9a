"""What a run will cost and what would slow it down in silence, said before anything is spent."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tfplm.data.configuration import HuggingFaceSource, Source, TfdsSource
from tfplm.data.labelled import LabelledData, load_labelled
from tfplm.data.sources import source_paths
from tfplm.errors import UserError
from tfplm.experiment import CandidateConfig, ExperimentConfig, PretrainStage
from tfplm.models.build import parse_model_config
from tfplm.models.configuration import BertConfig, ModelConfig
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import DESCRIPTION_FILE
from trainers import costs
from trainers.ceiling import elementwise_seconds_per_byte, matmul_ceiling, peak_flops, product_seconds
from trainers.costs import MatrixProduct, Memory, Workload
from trainers.machine import Machine, Placement, place
from trainers.runtime import configure_runtime

COMPUTE_OPTIMAL_TOKENS = 20  # a parameter; Hoffmann et al. 2022, table 3
_BYTES_A_TOKEN = 4.5  # of English text in WordPiece of some thousand tokens, as prepared here
_COMPRESSION = {".gz": 3.0, ".zst": 3.0, ".parquet": 2.0}  # text for every byte of the file, about
_LABELLED_BYTES = 2**25  # what is read to count examples
_CALIBRATION_SECONDS = 0.06  # for a product
_CALIBRATION_FLOPS = {"CPU": 1e10, "GPU": 2e12, "TPU": 2e12}  # of a product at most; larger ones are measured in part
_GOOD_PASSES = {"masked_lm": 40, "causal_lm": 4}  # Devlin et al. 2019, A.2; Muennighoff et al. 2023, section 6
_UNUSABLE_MEMORY = 0.9  # of the free memory: the rest is for the process itself

# Elementwise operations over the activations in forward and backward pass, as so many passes over all that is kept:
# fitted to measured steps of BERT on a CPU, see docs/doctor.md.
_PASSES_OVER_ACTIVATIONS = 4.0
_WORTH_COMPILING = 1e8  # operations of a product: below, the call of a compiled function is what would be measured


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
        tokens_per_step: padding included.
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
        return None if self.tokens is None else self.tokens / self.parameters

    @property
    def passes(self) -> float | None:
        """How often the data is read."""
        return self.tokens / self.data_tokens if self.tokens is not None and self.data_tokens else None

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


def diagnose(experiment: ExperimentConfig, calibrate: bool = True) -> Diagnosis:
    """Estimates what every training stage of an experiment costs here, and looks for silent downgrades.

    Nothing is written and nothing is fetched.

    Args:
        experiment: the whole configuration.
        calibrate: whether to time the stages' matrix products, some seconds.

    Raises:
        UserError: the experiment has nothing to train.
    """
    return _Doctor(experiment, calibrate).diagnose()


class _Doctor:
    """One visit: the experiment, the machine, and what was found so far."""

    def __init__(self, experiment: ExperimentConfig, calibrate: bool):
        if experiment.pretrain is None and experiment.finetune is None:
            raise UserError("The configuration trains nothing: it has neither a pretrain nor a finetune section.")
        self.experiment, self.calibrate = experiment, calibrate
        self.findings: list[Finding] = []
        try:
            configure_runtime(experiment.runtime)
        except UserError as error:
            self._stop(error)
        self.machine = Machine.here()
        try:
            self.placement: Placement | None = place(experiment.runtime, self.machine)
        except UserError as error:
            self.placement = None
            self._stop(error)

    def diagnose(self) -> Diagnosis:
        precision = self.experiment.runtime.precision
        stages = [self._estimate(*stage) for stage in self.stages]
        self.findings += [*self._machine_findings(), *self._data_findings(), *self._disk_findings(stages)]
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
        self.findings.append(Finding("stop", " ".join(filter(None, [error.found, error.expected])), error.remedy))

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
            yield "pretrain", Workload.of_pretraining(pretrain, vocabulary_size), None
        for name, candidate in finetune.candidates.items() if finetune is not None else ():
            try:
                model = self._model_of(candidate)
            except UserError as error:
                self.findings.append(Finding("warning", f"finetune.{name} is not estimated: {error.found}"))
                continue
            num_classes = len(self.labelled.class_names) if self.labelled else 2
            optimizer = candidate.optimizer.type
            workload = Workload.of_finetuning(finetune, model, vocabulary_size, optimizer, num_classes)
            yield f"finetune.{name}", workload, candidate

    def _model_of(self, candidate: CandidateConfig) -> ModelConfig:
        if candidate.model is not None:
            return candidate.model
        if candidate.initialize_from == PretrainStage:
            return self.experiment.pretrain.model
        run = RunDirectory(candidate.initialize_from)
        run.require("pretrain", run.model)
        return _saved_model_config(run.model / DESCRIPTION_FILE)

    def _estimate(self, name: str, workload: Workload, candidate: CandidateConfig | None) -> StageEstimate:
        precision = self.experiment.runtime.precision
        replicas = self.placement.num_replicas if self.placement is not None else 1
        pretrain = self.experiment.pretrain
        steps = pretrain.steps if candidate is None else self._finetuning_steps(candidate)
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
            memory=costs.memory_per_device(workload, precision, self.is_compiled, replicas),
            tokens_per_step=workload.tokens,
            seconds_per_step=self._seconds_per_step(workload) if self.calibrate else None,
            steps=steps,
            data_tokens=self.corpus_tokens if candidate is None else None,
            checkpoint_bytes=checkpoint,
            disk_bytes=kept * checkpoint + num_runs * costs.parameters(workload) * costs.FLOAT32_BYTES,
        )

    def _finetuning_steps(self, candidate: CandidateConfig) -> int | None:
        if self.labelled is None:
            return None
        return candidate.epochs * math.ceil(len(self.labelled.train) / self.experiment.finetune.batch_size)

    # Time.

    def _seconds_per_step(self, workload: Workload) -> float:
        """From the time of the products at their own shapes, and of passes over the activations for all the rest."""
        placement = self.placement or Placement("one_device", 1, 1, self.machine.kind == "CPU")
        parts = placement.num_replicas * workload.accumulation_steps
        rows = max(1, workload.batch_size // parts)
        micro = replace(workload, batch_size=rows, accumulation_steps=1)
        again = {product.name for product in costs.recomputed_products(micro)}
        seconds = sum(self._seconds_of(product, product.name in again) for product in costs.forward_products(micro))
        activations = costs.memory_per_device(micro, self.experiment.runtime.precision, self.is_compiled).activations
        per_byte = elementwise_seconds_per_byte(self.experiment.runtime.precision)
        seconds += _PASSES_OVER_ACTIVATIONS * activations * per_byte
        return seconds * workload.accumulation_steps * (placement.devices if placement.share_cpu else 1)

    def _seconds_of(self, product: MatrixProduct, is_recomputed: bool) -> float:
        """Of a product and its two gradients; large ones are measured with fewer rows, many with fewer at once."""
        most = _CALIBRATION_FLOPS[self.machine.kind]
        is_batched = product.name in ("block/scores", "block/context")
        once = product.flops / product.count
        count = min(product.count, max(1, int(most / once))) if is_batched else 1
        rows = product.rows if is_batched else max(1, min(product.rows, int(product.rows * most / once)))
        settings = {
            "precision": self.experiment.runtime.precision,
            "seconds": _CALIBRATION_SECONDS,
            "count": count,
            "jit_compile": self.is_compiled and once >= _WORTH_COMPILING,
        }
        inner, columns = product.inner, product.columns
        forward = product_seconds(rows, inner, columns, **settings)
        of_input = product_seconds(rows, columns, inner, transpose_b=True, **settings)
        of_weights = product_seconds(inner, rows, columns, transpose_a=True, **settings)
        parts = product.count / count * product.rows / rows
        return parts * (forward * (2 if is_recomputed else 1) + of_input + of_weights)

    # Data.

    @cached_property
    def corpus_tokens(self) -> int | None:
        """Tokens to pretrain on: counted where the corpus is prepared, else from the sizes of the files."""
        run = RunDirectory(Path(self.experiment.output_dir) / "corpus")
        if run.is_complete():
            report = run.read_report()
            return report["tokens"] - report["validation_tokens"]
        text = self._text_bytes(self.experiment.corpus.sources, "corpus") if self.experiment.corpus else None
        return None if text is None else round(text / _BYTES_A_TOKEN)

    @cached_property
    def shard_bytes(self) -> float | None:
        if self.experiment.corpus is None or self.corpus_tokens is None:
            return None
        return self.corpus_tokens * (2 if self.experiment.tokenizer.vocabulary_size <= 2**16 else 4)

    @cached_property
    def labelled(self) -> LabelledData | None:
        """The labelled data, where it is small enough to be read at once."""
        finetune = self.experiment.finetune
        if finetune is None:
            return None
        sources = [source for source in (finetune.data.train, finetune.data.validation, finetune.data.test) if source]
        size = self._text_bytes(sources, "finetune.data")
        if size is None or size > _LABELLED_BYTES:
            return None
        try:
            return load_labelled(finetune.data, finetune.task.multi_label, self.experiment.seed)
        except UserError as error:
            self._stop(error)
            return None

    def _text_bytes(self, sources: list[Source], section: str) -> float | None:
        """Size of the text in files; None, and a finding, where it is not known."""
        if any(isinstance(source, HuggingFaceSource | TfdsSource) for source in sources):
            self.findings.append(Finding("note", f"{section}: the size of a dataset is known once it is read."))
            return None
        try:
            paths = [path for source in sources for path in source_paths(source)]
        except UserError as error:
            self.findings.append(
                Finding("warning", f"{section}: the text is not there yet. {error.found}", error.remedy)
            )
            return None
        return sum(path.stat().st_size * _COMPRESSION.get(path.suffix, 1.0) for path in paths)

    # Findings.

    def _machine_findings(self) -> Iterator[Finding]:
        runtime, machine = self.experiment.runtime, self.machine
        on_cpu = machine.kind == "CPU"
        if machine.has_hidden_gpu:
            yield Finding(
                "warning",
                "There is an NVIDIA driver, and TensorFlow sees no GPU: everything runs on the CPU.",
                "pip install 'tensorflow[and-cuda]', and look at CUDA_VISIBLE_DEVICES.",
            )
        if not self.is_compiled:
            why = "jit_compile is auto, which is off on a CPU" if runtime.jit_compile == "auto" else "as set"
            # On a CPU XLA is the slower way in 16 bits.
            remedy = "Try runtime.jit_compile=true." if not on_cpu or runtime.precision == "float32" else ""
            yield Finding("note", f"XLA does not compile the step: {why}.", remedy)
        if not machine.uses_onednn and on_cpu:
            yield Finding("warning", "oneDNN is off: matrix products are slower.", "Unset TF_ENABLE_ONEDNN_OPTS.")
        yield from self._precision_findings()
        if any(isinstance(workload.model, BertConfig) for _, workload, _ in self.stages):
            yield Finding(
                "note",
                "Attention is not fused: the scores of all heads are held for the gradient. They are part of the "
                "activations below.",
            )

    def _precision_findings(self) -> Iterator[Finding]:
        precision, machine = self.experiment.runtime.precision, self.machine
        on_cpu, capability = machine.kind == "CPU", machine.compute_capability
        if precision == "float32" and machine.has_bfloat16:
            yield Finding(
                "note",
                f"Everything is computed in float32, and this {machine.kind} multiplies bfloat16 by itself.",
                "Try runtime.precision=mixed_bfloat16: less memory, and faster products.",
            )
        elif precision == "float32" and capability is not None and capability >= (7, 0):
            yield Finding(
                "note",
                "Everything is computed in float32, and this GPU has units for float16.",
                "Try runtime.precision=mixed_float16.",
            )
        if precision == "mixed_bfloat16" and not machine.has_bfloat16:
            yield Finding(
                "warning",
                f"This {machine.kind} cannot multiply bfloat16 by itself: it is emulated, and slower than float32.",
                "Set runtime.precision: float32" + (", or mixed_float16." if capability is not None else "."),
            )
        if precision == "mixed_bfloat16" and on_cpu and self.is_compiled:
            yield Finding(
                "warning",
                "XLA on a CPU widens bfloat16 to float32: no memory is saved, and products are slower than oneDNN's.",
                "Set runtime.jit_compile: false here; on an accelerator leave it as it is.",
            )
        if precision == "mixed_float16" and on_cpu:
            yield Finding(
                "warning",
                "float16 is slow on a CPU.",
                f"Set runtime.precision: {'mixed_bfloat16' if machine.has_bfloat16 else 'float32'}.",
            )

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
        if self.labelled is not None and len(self.labelled.train) < finetune.batch_size:
            yield Finding(
                "warning",
                f"{len(self.labelled.train)} training examples do not fill a batch of {finetune.batch_size}.",
                "Lower finetune.batch_size.",
            )
        if self.labelled is not None:
            yield from self._cut_texts()

    def _cut_texts(self) -> Iterator[Finding]:
        """The share of the texts that are cut, where the tokenizer is there already."""
        finetune = self.experiment.finetune
        tokenizer = RunDirectory(Path(self.experiment.output_dir) / "tokenizer")
        if not tokenizer.is_complete():
            return
        from tfplm.data.classification import encode_texts
        from tfplm.tokenizers.wordpiece import WordPieceTokenizer

        loaded = WordPieceTokenizer.load(tokenizer.tokenizer)
        ids = encode_texts(loaded, self.labelled.train.texts, finetune.sequence_length)
        share = float((ids[:, -1] != loaded.pad_id).mean())
        filled = float((ids != loaded.pad_id).mean())
        if share > 0.1:
            yield Finding(
                "warning",
                f"{share:.0%} of the training texts fill finetune.sequence_length {finetune.sequence_length}, and what "
                "is longer is cut.",
                "Raise it, if the model's max_sequence_length allows.",
            )
        if filled < 0.5 and not finetune.packing:
            yield Finding(
                "note",
                f"{1 - filled:.0%} of what fine-tuning computes is padding.",
                "Set finetune.packing: true, or a shorter sequence_length.",
            )

    def _disk_findings(self, stages: list[StageEstimate]) -> Iterator[Finding]:
        needed = sum(stage.disk_bytes for stage in stages) + (self.shard_bytes or 0)
        free = _free_disk(Path(self.experiment.output_dir))
        if needed > free:
            yield Finding(
                "warning",
                f"{self.experiment.output_dir} needs about {needed / 1e9:.1f} GB of disk, and {free / 1e9:.1f} are free.",
                "Choose another output_dir, or keep fewer checkpoints.",
            )

    def _stage_findings(self, stage: StageEstimate) -> Iterator[Finding]:
        yield from self._memory_findings(stage)
        if stage.name != "pretrain":
            return
        if stage.data_tokens is not None and stage.data_tokens < stage.tokens_per_step:
            yield Finding(
                "warning",
                f"pretrain: the corpus has about {stage.data_tokens:,} tokens, fewer than the "
                f"{stage.tokens_per_step:,} of a step.",
                "Lower batch_size, or add text.",
            )
        good = _GOOD_PASSES[self.experiment.pretrain.objective.type]
        if stage.passes is not None and stage.passes > good:
            yield Finding(
                "warning",
                f"pretrain: {stage.passes:,.0f} times through the text; more than {good} teach little.",
                "Lower pretrain.steps, take a smaller model, or add text.",
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
