"""What a family of foreign checkpoints is told by: its configuration and its names of tensors."""

from abc import ABC, abstractmethod

import numpy as np

from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import ModelConfig

# The heads that a checkpoint can have, by the type of the task that they become.
HEADS = (
    "text_embedding",  # none: the body alone
    "masked_lm",
    "text_classification",
    "token_classification",
    "question_answering",
    "causal_lm",
    "seq2seq_lm",
)


class Family(ABC):
    """A family of checkpoints of the Hugging Face layout.

    Attributes:
        model_types: what config.json calls it, the one that is written first.
        architectures: by the class that config.json names, the type of the task that its head becomes; of those with
            the same type the one that is written stands first.
        prefix: what the names of the body's tensors begin with where there is a head, such as "bert."; a checkpoint of
            the body alone leaves it out.
        ignored: regular expressions of tensors that hold nothing to learn from, or what is made anew: buffers, copies
            of tied weights. A tensor that a table names is none of them.
        tied: tensors that are copies, each with the name of what it copies (with the prefix): where both are there they
            must be equal, where only the copy is there it stands for the other.
        may_lack: what the paths of variables begin with that tables may leave out, as the checkpoint's class has no
            such layer; they keep their initial values.
        next_sentence_architecture: of ``architectures`` the one whose masked language model tells next sentences too;
            "" where there is none.
        head_dropout: what config.json calls the rate of dropout before the last layer of a classifier.
    """

    model_types: tuple[str, ...]
    architectures: dict[str, str]
    prefix: str
    ignored: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    may_lack: tuple[str, ...] = ()
    next_sentence_architecture: str = ""
    head_dropout: str = "classifier_dropout"

    @abstractmethod
    def read_config(self, values: dict, origin: str) -> ModelConfig:
        """Our configuration from the values of config.json. Raises UserError naming an option that is not supported."""

    @abstractmethod
    def write_config(self, config: ModelConfig) -> dict:
        """The values of config.json that describe the body. Raises UserError where this family has no such model."""

    @abstractmethod
    def body(self, config: ModelConfig) -> list[Weight]:
        """The weights of the body, with the names that they have where there is a head."""

    @abstractmethod
    def head(self, config: ModelConfig, task_type: str, with_next_sentence: bool = False) -> list[Weight]:
        """The weights of a head beside the body's.

        Args:
            config: of the body.
            task_type: one of HEADS.
            with_next_sentence: of a masked language model, whether it tells next sentences too.
        """

    def current_name(self, name: str) -> str:
        """The name that the tables have for a tensor, from what a file calls it; both are the same but in old files."""
        return name

    def computed(self, config: ModelConfig) -> dict[str, np.ndarray]:
        """By the paths of the tables, what is written for a model that has no variable there but computes it."""
        return {}
