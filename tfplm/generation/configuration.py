"""How text is written: the settings of generation, checked where they are given."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from tfplm.config import Config

_DEFAULT_CANDIDATES = 4
_DEFAULT_PENALTY = 0.6

# The settings that count with one strategy alone.
_BELONGS_TO = {
    "temperature": ("sample",),
    "top_k": ("sample", "contrastive"),
    "top_p": ("sample",),
    "min_p": ("sample",),
    "num_beams": ("beam",),
    "length_penalty": ("beam",),
    "penalty_alpha": ("contrastive",),
    "num_samples": ("sample", "beam"),
}


class GenerationConfig(Config):
    """Settings of generation.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", for ``top_p``; Fan et al. 2018 for
    ``top_k``; Nguyen et al. 2024, "Min-p Sampling", for ``min_p``; Wu et al. 2016, section 7, for beam search with a
    length penalty; Su et al. 2022, "A Contrastive Framework for Neural Text Generation", for ``contrastive``; Keskar et
    al. 2019, "CTRL", section 4.1, for ``repetition_penalty``; Paulus et al. 2018 for ``no_repeat_ngram_size``.
    """

    strategy: Literal["greedy", "sample", "beam", "contrastive"] = "greedy"
    max_new_tokens: PositiveInt = 128
    min_new_tokens: NonNegativeInt = 0  # the end is not written before
    temperature: Annotated[float, Field(gt=0.0)] = 1.0  # sample: below 1 the likely tokens are likelier still
    top_k: PositiveInt | None = None  # sample: only the k likeliest tokens; contrastive: the candidates (None: 4)
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # sample: the fewest tokens that have this probability
    min_p: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # sample: only tokens at least so likely beside the likeliest
    num_beams: PositiveInt = 1  # beam
    length_penalty: float = 1.0  # beam: the sum of log-probabilities is divided by length ** length_penalty
    penalty_alpha: Annotated[float, Field(ge=0.0, le=1.0)] | None = None  # contrastive: of likeness (None: 0.6)
    repetition_penalty: Annotated[float, Field(gt=0.0)] = 1.0  # over 1: tokens that are there already are less likely
    no_repeat_ngram_size: NonNegativeInt = 0  # no n tokens are written twice; 0: off
    stop: list[str] = []  # the text ends before the first of them
    num_samples: PositiveInt = 1  # texts a prompt: sample, or the best so many beams
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # sample: the same seed gives the same texts
    log_probabilities: bool = False  # of the tokens, as the model gives them

    @field_validator("stop")
    @classmethod
    def _stop_strings_hold_text(cls, stop: list[str]) -> list[str]:
        if "" in stop:
            raise ValueError("a stop string is empty, and every text begins with that: give text or leave it out")
        return stop

    @model_validator(mode="after")
    def _settings_fit_the_strategy(self) -> "GenerationConfig":
        for name, strategies in _BELONGS_TO.items():
            value = getattr(self, name)
            if self.strategy not in strategies and value != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name}={value} does nothing with strategy={self.strategy}: set strategy={strategies[0]}, "
                    f"or leave {name} out"
                )
        return self

    @model_validator(mode="after")
    def _numbers_fit_each_other(self) -> "GenerationConfig":
        if self.strategy == "beam" and self.num_beams < 2:
            raise ValueError("strategy=beam follows several beams: set num_beams=4, or strategy=greedy for one")
        if self.strategy == "beam" and self.num_samples > self.num_beams:
            raise ValueError(
                f"num_samples={self.num_samples} texts are more than num_beams={self.num_beams} find: "
                f"set num_beams={self.num_samples}"
            )
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens={self.min_new_tokens} is over max_new_tokens={self.max_new_tokens}: "
                f"set max_new_tokens to as many at least"
            )
        return self

    @property
    def num_candidates(self) -> int:
        """Tokens that contrastive search weighs at every step."""
        return self.top_k or _DEFAULT_CANDIDATES

    @property
    def likeness_penalty(self) -> float:
        """The share that likeness to what was written has in contrastive search."""
        return _DEFAULT_PENALTY if self.penalty_alpha is None else self.penalty_alpha
