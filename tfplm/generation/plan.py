"""What of the settings is compiled, and what a compiled loop takes as numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfplm.generation.configuration import GenerationConfig


@dataclass(frozen=True)
class Plan:
    """The settings that decide which operations there are; all others are scalars of the compiled loop."""

    strategy: str
    num_samples: int
    num_beams: int
    num_candidates: int  # of contrastive search
    has_temperature: bool
    has_top_k: bool
    has_top_p: bool
    has_min_p: bool
    penalizes_repetition: bool
    no_repeat_ngram_size: int
    has_minimum: bool
    gives_log_probabilities: bool

    @classmethod
    def of(cls, settings: GenerationConfig) -> "Plan":
        """What to compile for the settings."""
        is_contrastive = settings.strategy == "contrastive"
        return cls(
            strategy=settings.strategy,
            num_samples=settings.num_samples,
            num_beams=settings.num_beams,
            num_candidates=settings.num_candidates if is_contrastive else 1,
            has_temperature=settings.temperature != 1.0,
            has_top_k=settings.top_k is not None and not is_contrastive,
            has_top_p=settings.top_p < 1.0,
            has_min_p=settings.min_p > 0.0,
            penalizes_repetition=settings.repetition_penalty != 1.0,
            no_repeat_ngram_size=settings.no_repeat_ngram_size,
            has_minimum=settings.min_new_tokens > 0,
            gives_log_probabilities=settings.log_probabilities,
        )


@dataclass(frozen=True)
class Vocabulary:
    """What the loop knows of the tokens.

    Args:
        size: number of ids that the model scores.
        end_id: ends a text.
        never: ids that no text holds: padding, start, unknown, sentinels.
        pad_id: stands beside prompts and behind texts that have ended.
    """

    size: int
    end_id: int
    never: tuple[int, ...] = (0,)
    pad_id: int = 0

    def banned(self) -> np.ndarray:
        """Bool (vocabulary,), True where an id is never written."""
        banned = np.zeros(self.size, bool)
        banned[[index for index in self.never if index != self.end_id]] = True
        return banned


def build_controls(settings: GenerationConfig, vocabulary: Vocabulary, start: int) -> dict[str, np.ndarray]:
    """The numbers that a compiled loop takes.

    Args:
        settings: of which come the numbers.
        vocabulary: of which come the tokens.
        start: the column of the first new token.

    Returns:
        By name scalars of int32, uint32 and float32, and "banned", bool (vocabulary,).
    """
    integers = {
        "start": start,
        "end_id": vocabulary.end_id,
        "pad_id": vocabulary.pad_id,
        "max_new_tokens": settings.max_new_tokens,
        "min_new_tokens": settings.min_new_tokens,
        "top_k": min(settings.top_k or vocabulary.size, vocabulary.size),
    }
    floats = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "min_p": settings.min_p,
        "repetition_penalty": settings.repetition_penalty,
        "length_penalty": settings.length_penalty,
        "likeness_penalty": settings.likeness_penalty,
    }
    return {
        **_scalars(integers.items(), np.int32),
        **_scalars(floats.items(), np.float32),
        "seed": np.asarray(settings.seed, np.uint32),
        "banned": vocabulary.banned(),
    }


def _scalars(values: Iterable[tuple[str, float]], dtype: type) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype) for name, value in values}
