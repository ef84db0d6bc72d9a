"""The ``search`` section: which settings are searched, and among which values."""

import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, field_validator, model_validator

from tfplm.config import Config
from tfplm.training_configuration import Seed


class RangeConfig(Config):
    """Any number from ``low`` to ``high``, both included."""

    low: float
    high: float
    log: bool = False  # even in the logarithm: what learning rates want
    step: Annotated[float, Field(gt=0.0)] | None = None  # between two values, from `low` on

    @model_validator(mode="after")
    def _is_a_range(self) -> "RangeConfig":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0.0:
            raise ValueError(f"with log, low must be over 0 (found {self.low:g})")
        if self.log and self.step is not None:
            raise ValueError("log and step do not go together")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step {self.step:g} leads from low {self.low:g} beyond high {self.high:g}")
        return self


class ChoicesConfig(Config):
    """One of some values, which may be whole sections too."""

    choices: Annotated[list[Any], Field(min_length=2)]

    @field_validator("choices")
    @classmethod
    def _choices_differ(cls, choices: list[Any]) -> list[Any]:
        texts = [json.dumps(choice, sort_keys=True) for choice in choices]
        twice = [text for text in texts if texts.count(text) > 1]
        if twice:
            raise ValueError(f"{twice[0]} stands twice")
        return choices


def _kind_of_parameter(values: Any) -> Literal["RangeConfig", "ChoicesConfig"]:
    if isinstance(values, Config):
        return type(values).__name__
    return "ChoicesConfig" if isinstance(values, dict) and "choices" in values else "RangeConfig"


Parameter = Annotated[
    Annotated[RangeConfig, Tag("RangeConfig")] | Annotated[ChoicesConfig, Tag("ChoicesConfig")],
    Discriminator(_kind_of_parameter),
]


class SearchConfig(Config):
    """A search over settings of one candidate; see docs/studies.md."""

    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]  # by the path of the setting
    candidate: str | None = None  # None: the one that there is, or that the parameters name
    trials: PositiveInt = 20
    seed: Seed = 0  # of the values that are tried
