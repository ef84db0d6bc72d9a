"""Text by a run whose model writes."""

from collections.abc import Iterable, Iterator
from itertools import islice

from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import Generation, TextGenerator
from tfplm.tasks.saving import load_task
from tfplm.tokenizers.loading import load_tokenizer
from trainers.opened_run import OpenedRun

_AT_ONCE = 64  # prompts


class RunGenerator:
    """Writes with the model of a run.

    Args:
        run: pretrained or fine-tuned; its model writes.
        task: the name of the task whose prefix the prompts get; None for a pretrained model.

    Raises:
        UserError: the run is damaged.
    """

    def __init__(self, run: OpenedRun, task: str | None):
        self._before = run.prefixes[task] if task is not None else ""
        self._behind = run.separator
        self._generator = TextGenerator(load_task(run.directory.model), load_tokenizer(run.directory.tokenizer))

    def generate(self, texts: Iterable[str], settings: GenerationConfig) -> Iterator[tuple[str, Generation]]:
        """Yields every text with what was written for it, in order, in batches. Raises UserError for a wrong one."""
        texts = iter(texts)
        number = 1
        while batch := list(islice(texts, _AT_ONCE)):
            prompts = [self._prompt(text, place) for place, text in enumerate(batch, start=number)]
            yield from zip(batch, self._generator.generate(prompts, settings), strict=True)
            number += len(batch)

    def stream(self, text: str, settings: GenerationConfig) -> Iterator[str]:
        """Yields what is written for a text piece by piece, as soon as it is certain."""
        return self._generator.stream(self._prompt(text, 1), settings)

    def _prompt(self, text: str, number: int) -> str:
        if not text.strip():
            raise UserError(f"The prompt number {number} is empty.", "Expected text.", "Give at least a word.")
        return self._before + text + self._behind


def generation_record(text: str, generation: Generation) -> dict:
    """What was written for a text, as JSON-able values."""
    record = {"prompt": text, "texts": generation.texts, "was_cut": generation.was_cut}
    if generation.log_probabilities is not None:
        record["log_probabilities"] = [values.tolist() for values in generation.log_probabilities]
    return record
