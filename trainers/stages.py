"""The stages of an experiment, each done once: tokenizer, prepare, pretrain, finetune."""

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from tfplm.config import Config
from tfplm.data.prepare import prepare_corpus, train_tokenizer
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig, PretrainStage
from tfplm.finetuning_configuration import CandidateConfig, EncoderFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, fingerprint, whole_directory, write_config, write_text
from tfplm.tokenizers import loading
from trainers.candidate_trainer import CandidateTrainer
from trainers.distribute import Workplace, workplace
from trainers.finetuning import Finetuning, TaskFinetuning, source_files
from trainers.generation_finetuning import GenerationFinetuning
from trainers.pretrain import pretrain
from trainers.variable_memory import freed_variables

# Settings that leave the weights as they are.
_WITHOUT_EFFECT = {"keep_checkpoints", "keep_best_checkpoints", "keep_final_checkpoint", "profile"}


def _once(stage: Callable[["Stages"], RunDirectory]) -> Callable[["Stages"], RunDirectory]:
    """Makes a stage that other stages ask for run, and speak, once."""

    @functools.wraps(stage)
    def run(self: "Stages") -> RunDirectory:
        if stage.__name__ not in self._finished:
            self._finished[stage.__name__] = stage(self)
        return self._finished[stage.__name__]

    return run


class Stages:
    """Every stage of one experiment file; each returns its run directory and does nothing when it is done.

    Args:
        experiment: the whole configuration.
        progress: a tfplm.progress.Progress.
        place: where it trains; the chief of several workers prepares and writes.
        overwrite: remove a stage that another configuration made, instead of stopping.
    """

    def __init__(self, experiment: ExperimentConfig, progress: Progress, place: Workplace, overwrite: bool = False):
        self.experiment, self.progress, self.place, self.overwrite = experiment, progress, place, overwrite
        self.output = Path(experiment.output_dir)
        self._finished: dict[str, RunDirectory] = {}
        place.connection.require_equal("the configuration", fingerprint(experiment.model_dump(mode="json")))
        place.connection.require_shared(self.output)

    @_once
    def tokenizer(self) -> RunDirectory:
        """Trains the vocabulary: on the corpus, or where there is none on the training texts of the task."""
        with self.place.connection.chief_first("tokenizer"):
            return self._tokenizer()

    def _tokenizer(self) -> RunDirectory:
        run, mark = RunDirectory(self.output / "tokenizer"), self._tokenizer_mark
        if self._is_done(run, mark, "tokenizer"):
            return run
        if self.experiment.corpus is not None:
            trained = train_tokenizer(self.experiment, self._held_out, self.progress)
        elif self.experiment.finetune is not None:
            trained = loading.train_tokenizer(self._finetuning.training_texts(), self.experiment.tokenizer)
        else:
            raise UserError("The configuration names no text: it has neither a corpus nor a finetune section.")
        with whole_directory(run.path, replace=True) as folder:
            part = RunDirectory(folder)
            trained.save(part.tokenizer)
            write_config(part, {"stage": "tokenizer", **self.experiment.tokenizer.model_dump(mode="json")})
            part.write_report("tokenizer", mark, {"vocabulary_size": trained.vocabulary_size})
        self.progress.message(f"Vocabulary of {trained.vocabulary_size} tokens in {run.path}.")
        return run

    @_once
    def prepare(self) -> RunDirectory:
        """Turns the corpus into shards of token ids."""
        self._section("corpus", "prepare")
        tokenizer_run = self.tokenizer()
        with self.place.connection.chief_first("prepare"):
            return self._prepare(tokenizer_run)

    def _prepare(self, tokenizer_run: RunDirectory) -> RunDirectory:
        corpus = self.experiment.corpus
        run, mark = RunDirectory(self.output / "corpus"), self._corpus_mark
        if self._is_done(run, mark, "prepare"):
            return run
        tokenizer = loading.load_tokenizer(tokenizer_run.tokenizer)
        with whole_directory(run.path, replace=True) as folder:
            part = RunDirectory(folder)
            figures = prepare_corpus(corpus, tokenizer, folder, self._held_out, self.experiment.seed, self.progress)
            tokenizer.save(part.tokenizer)
            write_config(part, {"stage": "prepare", **corpus.model_dump(mode="json")})
            part.write_report("prepare", mark, figures)
        self.progress.message(
            f"{figures['documents']:,} documents, {figures['tokens']:,} tokens in {run.path} "
            f"({figures['megabytes_per_second']:.1f} MB/s)."
        )
        return run

    @_once
    def pretrain(self) -> RunDirectory:
        """Pretrains the model on the shards."""
        config = self._section("pretrain", "pretrain")
        corpus_run = self.prepare()
        run, mark = RunDirectory(self.output / "pretrain"), self._pretrain_mark
        if self._is_done(run, mark, "pretrain"):
            return run
        self._begin(run, mark)
        seed, runtime = self.experiment.seed, self.experiment.runtime
        with freed_variables():
            pretrain(config, runtime, corpus_run, run, seed, mark, self.progress, self.place)
        self.place.connection.barrier("the end of pretraining")
        report = run.read_report()
        final = ", ".join(f"{k} {v:.4g}" for k, v in report["final"].items() if k.startswith("val_"))
        self.progress.message(f"Pretrained for {report['steps']:,} steps in {report['seconds']:.0f} s: {final}.")
        if "bits_per_byte" in report.get("validation", {}):
            self.progress.message(
                f"The whole validation text: {report['validation']['bits_per_byte']:.3f} bits a byte."
            )
        return run

    def finetune(self) -> Path:
        """Trains every candidate with every seed and writes the comparison; returns the folder of the runs."""
        reports, folder = self.train_candidates(), self.output / "finetune"
        if self.place.is_chief:
            runs = {name: folder / name for name in reports}
            comparison = self._finetuning.write_comparison(self.output, reports, self._pretraining_reports(), runs)
            best = folder / comparison["best"] / f"seed-{comparison['best_seed']}"
            self.progress.message(f"Comparison in {self.output / 'report.md'}; best on validation: {best}.")
        self.place.connection.barrier("the comparison")
        return folder

    def train_candidates(self) -> dict[str, list[dict]]:
        """Trains every candidate with every seed, and compares nothing.

        Returns:
            By candidate the report of each seed; the runs are `finetune/<candidate>/seed-<n>` in the output folder.
        """
        config = self._section("finetune", "finetune")
        folder = self.output / "finetune"
        return {name: self._finetune_seeds(name, c, folder / name) for name, c in config.candidates.items()}

    def _finetune_seeds(self, name: str, candidate: CandidateConfig, folder: Path) -> list[dict]:
        """The report of every seed of a candidate; those that are not there yet are trained."""
        pretrained, tokenizer_run = self._origin(candidate)
        trainer: CandidateTrainer | None = None
        for seed in self.experiment.finetune.seeds:
            run, mark = RunDirectory(folder / f"seed-{seed}"), self._finetune_mark(candidate, tokenizer_run, seed)
            if self._is_done(run, mark, f"{name}, seed {seed}"):
                continue
            trainer = trainer or self._trainer(tokenizer_run)
            self._begin(run, mark)
            with freed_variables():
                trainer.train(name, candidate, pretrained, run, seed, mark)
            self.place.connection.barrier(f"the end of {name}, seed {seed}")
            if result := self._finetuning.result(run.read_report()):
                self.progress.message(f"{name}, seed {seed}: {result}.")
        return [RunDirectory(folder / f"seed-{seed}").read_report() for seed in self.experiment.finetune.seeds]

    def _trainer(self, tokenizer_run: RunDirectory) -> CandidateTrainer:
        tokenizer = loading.load_tokenizer(tokenizer_run.tokenizer)
        return self._finetuning.trainer(tokenizer, self.progress, self.place)

    def _finetune_mark(self, candidate: CandidateConfig, tokenizer_run: RunDirectory, seed: int) -> str:
        shared = self.experiment.finetune.model_dump(mode="json", exclude={"candidates", "seeds", *_WITHOUT_EFFECT})
        origin = tokenizer_run.read_report()["fingerprint"]
        precision = self.experiment.runtime.precision
        return fingerprint(
            shared, candidate.model_dump(mode="json"), precision, seed, origin, self._finetuning.data_mark
        )

    def _origin(self, candidate: CandidateConfig) -> tuple[RunDirectory | None, RunDirectory]:
        """The pretrained run that a candidate starts from, if any, and the run that has its tokenizer."""
        if candidate.initialize_from is None:
            return None, self.tokenizer()
        own = candidate.initialize_from == PretrainStage
        run = self.pretrain() if own else RunDirectory(candidate.initialize_from)
        run.require_one_of(("pretrain", "import"), run.tokenizer, run.model)
        return run, run

    def _pretraining_reports(self) -> dict[str, dict]:
        """The report of the pretraining that each pretrained candidate stands on."""
        return {
            name: self._origin(candidate)[0].read_report()
            for name, candidate in self.experiment.finetune.candidates.items()
            if candidate.initialize_from is not None
        }

    def _section(self, name: str, stage: str) -> Config:
        section = getattr(self.experiment, name)
        if section is None:
            raise UserError(f"The configuration has no section '{name}', which the stage '{stage}' needs.")
        return section

    def _is_done(self, run: RunDirectory, mark: str, description: str) -> bool:
        """Whether the stage is there as asked for. Raises UserError when another configuration made it."""
        if not run.is_complete():
            return False
        try:
            if run.read_report()["fingerprint"] == mark:
                self.progress.message(f"{description}: done before, in {run.path}; skipped.")
                return True
        except UserError:  # damaged, or of another version
            if not self.overwrite:
                raise
        if self.overwrite:
            return False
        raise UserError(
            f"{run.path} was made by another configuration or from other data.",
            f"Its configuration is in {run.config}.",
            "Choose another output_dir, or give --overwrite to replace this stage.",
        )

    def _begin(self, run: RunDirectory, mark: str) -> None:
        """Makes the folder of a training stage; what another configuration left unfinished there goes."""
        with self.place.connection.chief_first(f"the folder of {run.path.name}"):
            if self.place.is_chief:
                self._make_folder(run, mark)

    def _make_folder(self, run: RunDirectory, mark: str) -> None:
        begun = run.path / ".fingerprint"
        if run.path.exists() and (not begun.is_file() or begun.read_text() != mark):
            if not self.overwrite:
                raise UserError(
                    f"{run.path} holds an unfinished run of another configuration.",
                    remedy="Choose another output_dir, or give --overwrite to begin anew.",
                )
            shutil.rmtree(run.path)
        run.path.mkdir(parents=True, exist_ok=True)
        write_text(begun, mark)

    @cached_property
    def _finetuning(self) -> Finetuning:
        kind = TaskFinetuning if isinstance(self.experiment.finetune, EncoderFinetuneConfig) else GenerationFinetuning
        return kind(self.experiment)

    @cached_property
    def _held_out(self) -> set[str]:
        """Groups of the documents that the task keeps for validation and test."""
        corpus = self.experiment.corpus
        if corpus is None or self.experiment.finetune is None or not corpus.hold_out_evaluation:
            return set()
        return self._finetuning.held_out()

    @cached_property
    def _text_mark(self) -> str:
        """What the corpus is made of: its files, and what is held out of them."""
        corpus = self.experiment.corpus
        if corpus is None:
            return self._finetuning.data_mark if self.experiment.finetune is not None else ""
        files = source_files(corpus.sources)
        return fingerprint(corpus.model_dump(mode="json"), files, sorted(self._held_out))

    @cached_property
    def _tokenizer_mark(self) -> str:
        return fingerprint("tokenizer", self.experiment.tokenizer.model_dump(mode="json"), self._text_mark)

    @cached_property
    def _corpus_mark(self) -> str:
        return fingerprint("prepare", self._tokenizer_mark, self._text_mark, self.experiment.seed)

    @cached_property
    def _pretrain_mark(self) -> str:
        runtime = self.experiment.runtime
        values = self.experiment.pretrain.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
        return fingerprint("pretrain", values, runtime.precision, self._corpus_mark, self.experiment.seed)


@contextlib.contextmanager
def stages_of(experiment: ExperimentConfig, progress: Progress, overwrite: bool = False) -> Iterator[Stages]:
    """The stages of an experiment, with this process set up for them and the other workers met."""
    with workplace(experiment.runtime, progress) as place:
        yield Stages(experiment, progress, place, overwrite)


def run_tokenizer(experiment: ExperimentConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Runs the stage, and those before it that are not done; returns its run directory."""
    with stages_of(experiment, progress, overwrite) as stages:
        return stages.tokenizer().path


def run_prepare(experiment: ExperimentConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Runs the stage, and those before it that are not done; returns its run directory."""
    with stages_of(experiment, progress, overwrite) as stages:
        return stages.prepare().path


def run_pretrain(experiment: ExperimentConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Runs the stage, and those before it that are not done; returns its run directory."""
    with stages_of(experiment, progress, overwrite) as stages:
        return stages.pretrain().path


def run_finetune(experiment: ExperimentConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Runs the stage, and those before it that are not done; returns the folder of its runs."""
    with stages_of(experiment, progress, overwrite) as stages:
        return stages.finetune()
