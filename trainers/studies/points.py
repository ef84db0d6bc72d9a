"""A point of a study: the experiment with some settings replaced, trained in a folder of its own."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfplm.config import with_settings
from tfplm.data.configuration import SplitDataConfig
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from trainers.distribute import Workplace
from trainers.stages import Stages

Reports = dict[str, list[dict]]  # by candidate the report of each seed


@dataclass(frozen=True)
class StudyPlace:
    """What every point of a study is trained with.

    Args:
        place: where it trains.
        progress: a tfplm.progress.Progress.
        overwrite: remove what another configuration made, instead of stopping.
        keep_models: keep the weights of every run, of which a study needs the figures only.
    """

    place: Workplace
    progress: Progress
    overwrite: bool = False
    keep_models: bool = False

    def stages(self, experiment: ExperimentConfig) -> Stages:
        """The stages of an experiment."""
        return Stages(experiment, self.progress, self.place, self.overwrite)

    def train(self, experiment: ExperimentConfig, base: Stages | None = None) -> Reports:
        """Trains the candidates of a point that are not trained yet.

        Args:
            experiment: of the point, with its own output folder.
            base: whose vocabulary and pretraining the point begins from; None: it has its own.

        Raises:
            UserError: as `Stages.finetune`.
        """
        stages = self.stages(experiment) if base is None else PointStages(experiment, base)
        done_before = set(_finished_runs(experiment))
        try:
            return stages.train_candidates()
        finally:  # where it was interrupted too
            if self.place.is_chief and not self.keep_models:
                for run in set(_finished_runs(experiment)) - done_before:
                    shutil.rmtree(RunDirectory(run).model, ignore_errors=True)


def _finished_runs(experiment: ExperimentConfig) -> list[Path]:
    runs = (Path(experiment.output_dir) / "finetune").glob("*/seed-*")
    return [run for run in runs if RunDirectory(run).is_complete()]


class PointStages(Stages):
    """The stages of a point that begins from the vocabulary and the pretraining of another experiment.

    Args:
        experiment: of the point.
        base: the stages of the other.
    """

    def __init__(self, experiment: ExperimentConfig, base: Stages):
        super().__init__(experiment, base.progress, base.place, base.overwrite)
        self._base = base

    def tokenizer(self) -> RunDirectory:
        return self._base.tokenizer()

    def pretrain(self) -> RunDirectory:
        return self._base.pretrain()

    @property
    def data_mark(self) -> str:
        """A fingerprint of the labelled data and of how it is split."""
        return self._finetuning.data_mark

    def num_training_texts(self) -> int:
        """How many texts the point is trained on. Raises UserError where its data cannot be had."""
        return len([*self._finetuning.training_texts()])


def at_point(
    experiment: ExperimentConfig, output: Path, data_settings: Callable[[SplitDataConfig], Mapping[str, Any]]
) -> ExperimentConfig:
    """The experiment with its own output folder, and other settings in the data of every task.

    Args:
        experiment: of which.
        output: the point's folder.
        data_settings: gives what is replaced in a data section, by its path there.

    Raises:
        UserError: the experiment is wrong with them.
    """
    replaced: dict[tuple[str, ...], Any] = {("output_dir",): str(output), ("export",): None, ("search",): None}
    for path, data in experiment.task_data().items():
        replaced |= {(*path, *name.split(".")): value for name, value in data_settings(data).items()}
    return with_settings(experiment, replaced, str(output))
