"""Other people's checkpoints as tasks of ours."""

from dataclasses import dataclass
from pathlib import Path

import keras

from tfplm.errors import UserError
from tfplm.interop.checkpoint import Checkpoint, open_checkpoint
from tfplm.interop.family import HEADS, Family
from tfplm.interop.heads import build_head, read_class_names, require_fit
from tfplm.interop.hub import resolve_source
from tfplm.interop.loading import Loaded, load_weights
from tfplm.interop.registry import find_family, find_task_type
from tfplm.interop.sentence_transformers import read_embedding_config
from tfplm.interop.tensors import Tensors
from tfplm.interop.tokenizers.reading import read_tokenizer
from tfplm.models.build import build_model
from tfplm.models.configuration import ModelConfig
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

_MOST_SHARED_LAYERS = 1000  # of one block


@dataclass(frozen=True)
class Pretrained:
    """A checkpoint, loaded.

    Args:
        task: the model with its head, float32.
        tokenizer: its own.
        checkpoint: what was read.
        loaded: what was made of its tensors.
    """

    task: Task
    tokenizer: Tokenizer
    checkpoint: Checkpoint
    loaded: Loaded


def load_pretrained(
    source: str | Path, task: str | None = None, class_names: list[str] | None = None, revision: str | None = None
) -> Pretrained:
    """Loads a checkpoint of Hugging Face, KerasHub, Model Garden or TensorFlow 1, without PyTorch and transformers.

    Everything is checked before a model is built; nothing in a checkpoint is executed.

    Args:
        source: a folder, or the name of a repository on the Hugging Face Hub, which is then downloaded.
        task: one of `tfplm.interop.family.HEADS`; None: what the checkpoint's head is for. A head that the checkpoint
            does not have is new.
        class_names: of a new classifier; None: those of the checkpoint.
        revision: of the repository on the Hub: a commit or a tag.

    Raises:
        UserError: the checkpoint is damaged, incomplete, of a kind that is not supported, or cannot be had.

    Example:
        >>> pretrained = load_pretrained("all-MiniLM-L6-v2")
        >>> ids = pretrained.tokenizer.encode_rows(["a text", "another one"], 64)
        >>> pretrained.task({"token_ids": ids}).shape
        TensorShape([2, 384])
    """
    checkpoint = open_checkpoint(resolve_source(str(source), revision))
    values, origin = checkpoint.config, str(checkpoint.folder / "config.json")
    family = find_family(values, origin)
    own_type = find_task_type(family, values, origin)
    task_type = task or own_type
    if task_type not in HEADS:
        raise UserError(f"There is no task '{task_type}'.", f"Known are {', '.join(HEADS)}.")
    config = family.read_config(values, origin)
    require_fit(task_type, config, class_names)
    tokenizer = read_tokenizer(checkpoint.tokenizer_folder)
    _require_one_vocabulary(tokenizer, config, origin)
    _require_layers(config, checkpoint.tensors, origin)
    embedding = read_embedding_config(checkpoint.folder)
    is_new = task_type != own_type or (class_names is not None and class_names != read_class_names(values, origin))
    with keras.StatelessScope():  # what is built in it comes into being with the values of the checkpoint
        encoder = build_model(config, tokenizer.vocabulary_size, tokenizer.pad_id)
        built = build_head(task_type, family, encoder, values, origin, class_names, embedding)
        with_next_sentence = getattr(built.config, "next_sentence", False) and not is_new
        head = _common_head(family, own_type) if is_new else task_type
        weights = family.body(config) + family.head(config, head, with_next_sentence)
        loaded = load_weights(built, checkpoint.tensors, family, weights, is_new)
    return Pretrained(built, tokenizer, checkpoint, loaded)


def _require_layers(config: ModelConfig, tensors: Tensors, origin: str) -> None:
    """Raises UserError where config.json tells of more layers than there can be, before any of them is built."""
    most = _MOST_SHARED_LAYERS if getattr(config, "share_layers", False) else len(tensors.names())
    if config.num_layers > most:
        raise UserError(
            f"{origin} gives the model {config.num_layers} layers.", f"{tensors.origin} has {most} tensors."
        )


def _common_head(family: Family, own_type: str) -> str:
    """What a new head takes over: that of the body alone (an encoder's pooler), or all of a model that writes."""
    return "text_embedding" if "text_embedding" in family.architectures.values() else own_type


def _require_one_vocabulary(tokenizer: Tokenizer, config: ModelConfig, origin: str) -> None:
    """Raises UserError where the tokenizer and config.json are of two models."""
    if tokenizer.vocabulary_size > config.vocabulary_size:
        raise UserError(
            f"The tokenizer has {tokenizer.vocabulary_size} tokens, and {origin} gives the model "
            f"{config.vocabulary_size}.",
            "Expected at least as many.",
            "Take the tokenizer and the weights from one place; tokens that were added later have no weights here.",
        )
    if config.type == "bert" and tokenizer.pad_id != config.pad_id:
        raise UserError(
            f"{origin}: 'pad_token_id' is {config.pad_id}, and the tokenizer pads with {tokenizer.pad_id}.",
            "Expected one number.",
        )
