"""What the families of decoders and encoder-decoders share: heads, padding, and what has no form."""

import json
from collections.abc import Mapping
from typing import Any

from tfplm.config import Config
from tfplm.errors import UserError
from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.layer_tables import dense
from tfplm.interop.weight_table import Weight


def decoder_head(task_type: str, title: str, output_embedding: list[Weight], tagger: str) -> list[Weight]:
    """The weights of a decoder's head beside the body's.

    Args:
        task_type: one of `tfplm.interop.family.HEADS`.
        title: of the family, for messages.
        output_embedding: of the causal language model, none where they are tied.
        tagger: the name of the layer that gives every token a class.

    Raises:
        UserError: a decoder has no such head.
    """
    heads = {
        "text_embedding": [],
        "causal_lm": output_embedding,
        "text_classification": dense("text_classifier/classifier", "score", use_bias=False),
        "token_classification": dense("token_classifier/classifier", tagger),
        "question_answering": dense("question_answering/span", "qa_outputs"),
    }
    if task_type not in heads:
        raise UserError(
            f"A checkpoint of {title} has no form for the task {task_type}.", f"Supported: {', '.join(heads)}."
        )
    return heads[task_type]


def read_pad_id(read: ConfigValues, vocabulary_size: int) -> int:
    """The id of the padding; −1 where there is none, or where it is one that texts hold."""
    pad_id = read.values.get("pad_token_id")
    if not isinstance(pad_id, int) or not 0 <= pad_id < vocabulary_size:
        return -1
    ends = read.values.get("eos_token_id")
    others = [read.values.get("bos_token_id"), *(ends if isinstance(ends, list) else [ends])]
    return -1 if pad_id in others else pad_id


def written_pad_id(pad_id: int) -> int | None:
    """What config.json has for our padding."""
    return None if pad_id < 0 else pad_id


def check_form(config: Config, title: str, supported: Mapping[str, tuple[Any, ...]]) -> None:
    """Raises UserError naming every field whose value is none of those that the family has a form for."""
    wrong = {field: getattr(config, field) for field in supported if getattr(config, field) not in supported[field]}
    if wrong:
        found = ", ".join(f"model.{field} {json.dumps(value)}" for field, value in wrong.items())
        told = ", ".join(f"{field} {' or '.join(map(json.dumps, values))}" for field, values in supported.items())
        raise UserError(
            f"A checkpoint of {title} has no form for {found}.",
            f"Supported: {told}.",
            "Export to another format, or train a model with these settings.",
        )
