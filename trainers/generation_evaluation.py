"""Answers of a model that writes, judged task by task beside what a copy of the source would reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tfplm.data.pairs import Pairs, first_sentence
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import TextGenerator
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.metrics.generation import generation_figures

COPIES: dict[str, Callable[[str], str]] = {
    "copying the source": lambda source: source,
    "copying its first sentence": first_sentence,
}


@dataclass(frozen=True)
class Answer:
    """What a model wrote for one pair."""

    task: str
    source: str
    reference: str
    output: str
    was_cut: bool  # ended by max_new_tokens


def choose_pairs(pairs: Pairs, num_examples: int) -> Pairs:
    """At most so many pairs of each task, evenly apart."""
    chosen = []
    for task in dict.fromkeys(pairs.tasks):
        (places,) = np.nonzero(np.array(pairs.tasks) == task)
        chosen += list(places[np.linspace(0, len(places) - 1, min(num_examples, len(places))).astype(int)])
    columns = (pairs.sources, pairs.targets, pairs.tasks, pairs.origins)
    return Pairs(*([column[place] for place in chosen] for column in columns))


def cut_prompts(tokenizer: Tokenizer, prompts: Sequence[str], num_tokens: int, keep_end: bool) -> list[str]:
    """The prompts, those of more than ``num_tokens`` cut at their end, or at their beginning to ``keep_end``."""
    kept = slice(-num_tokens, None) if keep_end else slice(num_tokens)
    result = list(prompts)
    too_long = range(len(result))
    while too_long:  # again: the tokens of a cut text are at times others than those that it was cut to
        encoded = tokenizer.encode([result[place] for place in too_long])
        cut = {place: ids for place, ids in zip(too_long, encoded, strict=True) if len(ids) > num_tokens}
        for place, ids in cut.items():
            result[place] = tokenizer.decode(ids[kept]).strip("\ufffd")  # of a character that was cut in two
        too_long = list(cut)
    return result


def write_answers(
    generator: TextGenerator, pairs: Pairs, prompts: Sequence[str], settings: GenerationConfig
) -> list[Answer]:
    """Has a model answer the prompts of pairs; of several samples the first counts."""
    written = generator.generate(prompts, settings)
    return [
        Answer(task, source, target, generation.texts[0], generation.was_cut[0])
        for task, source, target, generation in zip(pairs.tasks, pairs.sources, pairs.targets, written, strict=True)
    ]


def judge_answers(answers: Sequence[Answer], bleu_tokenizer: str = "auto") -> dict[str, dict]:
    """By task the figures of `generation_figures`, and ``num_cut``, the outputs that max_new_tokens ended."""
    figures = {}
    for task, of_task in _by_task(answers).items():
        outputs, references = [a.output for a in of_task], [a.reference for a in of_task]
        figures[task] = generation_figures(outputs, references, bleu_tokenizer) | {
            "num_cut": sum(answer.was_cut for answer in of_task)
        }
    return figures


def judge_copies(answers: Sequence[Answer], bleu_tokenizer: str = "auto") -> dict[str, dict[str, dict]]:
    """By task the figures of copies of the same sources; the first sentence only where some source has more."""
    figures: dict[str, dict[str, dict]] = {}
    for task, of_task in _by_task(answers).items():
        references, sources = [a.reference for a in of_task], [a.source for a in of_task]
        figures[task] = {}
        for name, copy in COPIES.items():
            outputs = [copy(source) for source in sources]
            if name == "copying the source" or outputs != [" ".join(source.split()) for source in sources]:
                figures[task][name] = generation_figures(outputs, references, bleu_tokenizer)
    return figures


def answer_records(answers: Sequence[Answer]) -> list[dict]:
    """The answers as JSON-able mappings."""
    return [asdict(answer) for answer in answers]


def mean_over_tasks(figures: Mapping[str, Mapping[str, float]], metric: str) -> float:
    """The mean of a figure over the tasks, each counting alike."""
    return float(np.mean([of_task[metric] for of_task in figures.values()]))


def _by_task(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    tasks: dict[str, list[Answer]] = {}
    for answer in answers:
        tasks.setdefault(answer.task, []).append(answer)
    return tasks
