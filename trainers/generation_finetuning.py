"""Fine-tuning of models that write, as the stages ask for it."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tfplm.data.pairs import PairData, held_out_texts, load_tasks, prompts
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import GenerationFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import fingerprint
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.distribute import Workplace
from trainers.finetuning import Finetuning
from trainers.generation_evaluation import mean_over_tasks
from trainers.generation_finetune import GenerationFinetuner
from trainers.generation_report import FIGURES, write_generation_comparison


class GenerationFinetuning(Finetuning):
    """Fine-tuning to tasks whose answers are text.

    Args:
        experiment: with its ``finetune`` section.
    """

    def __init__(self, experiment: ExperimentConfig):
        self._config: GenerationFinetuneConfig = experiment.finetune
        self._runtime, self._seed = experiment.runtime, experiment.seed

    @cached_property
    def _pairs(self) -> PairData:
        return load_tasks(self._config.tasks, self._seed)

    def training_texts(self) -> Iterable[str]:
        train = self._pairs.train
        return [*prompts(train, self._config.prefixes), *train.targets]

    def held_out(self) -> set[str]:
        return held_out_texts([task.data for task in self._config.tasks.values()], self._seed)

    @cached_property
    def data_mark(self) -> str:
        digest = hashlib.blake2b(digest_size=8)
        for pairs in (self._pairs.train, self._pairs.validation, self._pairs.test):
            for part in (*pairs.tasks, *pairs.sources, *pairs.targets, ""):
                digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return fingerprint("pairs", digest.hexdigest(), self._seed)

    def trainer(self, tokenizer: Tokenizer, progress: Progress, place: Workplace) -> GenerationFinetuner:
        for warning in self._pairs.figures["warnings"]:
            progress.message(f"Warning: {warning}")
        return GenerationFinetuner(self._config, self._runtime, self._pairs, tokenizer, progress, place)

    def write_comparison(
        self, output: Path, reports: dict[str, list[dict]], pretraining: dict[str, dict], runs: dict[str, Path]
    ) -> dict:
        return write_generation_comparison(output, self._config, reports, pretraining, runs)

    def result(self, report: dict) -> str | None:
        split, metric = report["judged_on"], self._config.metric
        tasks = report[split]["tasks"]
        score, cut = mean_over_tasks(tasks, metric), sum(figures["num_cut"] for figures in tasks.values())
        count = sum(figures["examples"] for figures in tasks.values())
        return f"{FIGURES[metric]} {score:.1f} on {count} texts ({split}), {cut} of them cut"
