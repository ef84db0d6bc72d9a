"""Exact figures of models that predict text: perplexity, token accuracy, and bits a byte, which vocabularies share."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.data.batches import Batch
from tfplm.data.pretraining import PretrainingBatches
from tfplm.data.shards import TokenShards
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.text_floors import document_texts

_TOKENS_AT_ONCE = 2**22  # of shards


@dataclass
class TextSums:
    """What has been predicted so far.

    Args:
        nats: surprise in all.
        tokens: predicted.
        correct: of these, those that were the likeliest.
        bytes: of UTF-8 text that they stand for; 0 where the tokenizer cannot tell.
    """

    nats: float = 0.0
    tokens: int = 0
    correct: float = 0.0
    bytes: int = 0

    def figures(self, num_characters: int | None = None) -> dict:
        """The sums as figures; ``num_characters`` is that of the text, where it is known.

        Returns:
            nats_per_token (as ``loss`` too, its name in training), perplexity, token_accuracy and tokens; where the
            bytes are known bits_per_byte and bytes; where the characters are nats_per_character and characters.
        """
        if not self.tokens:
            raise ValueError("got no tokens to predict, expected text")
        nats = self.nats / self.tokens
        figures = {
            "loss": nats,
            "nats_per_token": nats,
            "perplexity": math.exp(min(nats, 700.0)),  # past that it is no float any more
            "token_accuracy": self.correct / self.tokens,
            "tokens": self.tokens,
        }
        if self.bytes:
            figures |= {"bits_per_byte": self.nats / math.log(2) / self.bytes, "bytes": self.bytes}
        if num_characters:
            figures |= {"nats_per_character": self.nats / num_characters, "characters": num_characters}
        return figures


class TextScorer:
    """Adds up what a task predicts, without dropout.

    Args:
        task: with the output NEXT_TOKEN.
        jit_compile: whether XLA compiles the forward pass.
    """

    def __init__(self, task: Task, jit_compile: bool = False):
        self._task = task
        self._score = tf.function(self._losses_and_hits, jit_compile=jit_compile)

    def sums(self, batches: Iterable[Batch], token_bytes: np.ndarray | None) -> TextSums:
        """What is predicted in some batches.

        Args:
            batches: of the same shapes; what has the weight 0 does not count, and all else counts alike.
            token_bytes: of every token, int32 (vocabulary,); None where they are not known.
        """
        sums = TextSums()
        for features, targets, weights in batches:
            counted = weights[names.NEXT_TOKEN] > 0
            counts = {names.NEXT_TOKEN: counted.astype(np.float32)}
            losses, hits = self._score(*tf.nest.map_structure(tf.convert_to_tensor, (features, targets, counts)))
            sums.nats += float(np.sum(losses.numpy(), dtype=np.float64))
            sums.correct += float(np.sum(hits.numpy(), dtype=np.float64))
            sums.tokens += int(counted.sum())
            if token_bytes is not None:
                sums.bytes += int(token_bytes[targets[names.NEXT_TOKEN][counted]].sum())
        return sums

    def _losses_and_hits(self, features: dict, targets: dict, counts: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """Of every target its loss and whether it was the likeliest: float32 (batch, sequence)."""
        scores = self._task.score(features, targets, counts, training=False)
        is_correct, of_tokens = scores.metrics[f"{names.NEXT_TOKEN}_accuracy"]
        return scores.losses[names.NEXT_TOKEN], tf.cast(is_correct, tf.float32) * of_tokens


def evaluate_language_model(task: Task, batches: PretrainingBatches, jit_compile: bool = False) -> dict:
    """Figures over the whole text of the batches' shards.

    A causal language model predicts every token of every document, and its end, once; what it reads before is at most
    a window of ``sequence_length``. Of the objectives of encoder-decoders it is one lap of whole batches, as they are
    drawn: bits a byte of what the decoder writes are given for prefix_lm, and none for span_corruption, whose targets
    are no text.
    """
    tokenizer, objective = batches.tokenizer, batches.objective.type
    num_steps = max(1, batches.num_rows // batches.batch_size)
    is_whole_text = objective == "causal_lm"
    drawn = batches.epoch_batches(batches.batch_size) if is_whole_text else map(batches.batch, range(num_steps))
    token_bytes = tokenizer.token_bytes if objective != "span_corruption" else None
    sums = TextScorer(task, jit_compile).sums(drawn, token_bytes)
    if not (is_whole_text and tokenizer.is_lossless):
        return sums.figures()
    return sums.figures(sum(map(len, document_texts(batches.shards, tokenizer))))


def tokens_per_byte(shards: TokenShards, tokenizer: Tokenizer) -> float | None:
    """Tokens, the ends of documents among them, for every byte of the text; None where that is not known."""
    if tokenizer.token_bytes is None:
        return None
    firsts = range(0, shards.num_tokens, _TOKENS_AT_ONCE)
    parts = (shards.tokens(first, min(first + _TOKENS_AT_ONCE, shards.num_tokens)) for first in firsts)
    num_bytes = sum(int(tokenizer.token_bytes[part].sum()) for part in parts)
    return (shards.num_tokens + shards.num_documents) / num_bytes if num_bytes else None


class BitsPerByte(keras.callbacks.Callback):
    """Adds ``val_bits_per_byte`` to the figures of an interval: the validation loss by the tokens a byte of the text.

    Place it before the callbacks that read the figures.

    Args:
        tokens_per_byte: of the validation text.
    """

    def __init__(self, tokens_per_byte: float):
        super().__init__()
        self._bits_of_a_nat = tokens_per_byte / math.log(2)

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            logs["val_bits_per_byte"] = float(logs["val_loss"]) * self._bits_of_a_nat
