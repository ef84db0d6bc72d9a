"""The models and batches that every contender of a subject gets alike."""

from dataclasses import dataclass

import numpy as np

FIRST_WORD = 5  # ids below are special tokens


def row_seeds(count: int, batch_size: int) -> np.ndarray:
    """What tfplm's dropout is keyed by: int32 (count, batch), as its pipelines give it."""
    return np.random.default_rng(0).integers(-(2**31), 2**31, (count, batch_size)).astype(np.int32)


@dataclass(frozen=True)
class BertWorkload:
    """A BERT and its batches: post-norm, learned positions, exact GELU, tied output weights, AdamW, clipping."""

    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    vocabulary_size: int = 8192
    sequence_length: int = 128
    batch_size: int = 32
    num_predictions: int = 20
    dropout: float = 0.1
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip_norm: float = 1.0

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.sequence_length

    @property
    def operations_per_token(self) -> float:
        """Of the matrix products of a train step (one forward, two backward): 2 · rows · columns · depth each."""
        block = 4 * self.hidden_dim**2 + 2 * self.hidden_dim * self.intermediate_dim
        attention = 2 * self.sequence_length * self.hidden_dim
        head = self.hidden_dim * (self.hidden_dim + self.vocabulary_size) * self.num_predictions / self.sequence_length
        return 3 * 2 * (self.num_layers * (block + attention) + head)

    def batches(self, count: int = 4) -> dict[str, np.ndarray]:
        """Full rows of random ids: token_ids (count, batch, sequence), mask_positions and targets (…, predictions)."""
        generator = np.random.default_rng(0)
        rows = (count, self.batch_size)

        def ids(columns: int) -> np.ndarray:
            return generator.integers(FIRST_WORD, self.vocabulary_size, (*rows, columns), np.int32)

        columns = generator.random((*rows, self.sequence_length)).argsort(axis=-1)
        positions = np.sort(columns[..., : self.num_predictions], axis=-1).astype(np.int32)
        return {
            "token_ids": ids(self.sequence_length),
            "mask_positions": positions,
            "targets": ids(self.num_predictions),
        }


@dataclass(frozen=True)
class LstmWorkload:
    """A bidirectional LSTM classifier: embedding, dropout, one layer, the maximum over the steps, dropout, dense."""

    embedding_dim: int = 128
    hidden_dim: int = 128
    vocabulary_size: int = 8192
    sequence_length: int = 128
    batch_size: int = 32
    num_classes: int = 6
    dropout: float = 0.2
    head_dropout: float = 0.1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    clip_norm: float = 1.0

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.sequence_length

    def batches(self, count: int = 4) -> dict[str, np.ndarray]:
        """Full rows of random ids: token_ids (count, batch, sequence), labels (count, batch)."""
        generator = np.random.default_rng(0)
        shape = (count, self.batch_size, self.sequence_length)
        return {
            "token_ids": generator.integers(FIRST_WORD, self.vocabulary_size, shape, np.int32),
            "labels": generator.integers(0, self.num_classes, shape[:2], np.int32),
        }


@dataclass(frozen=True)
class FinetuningWorkload:
    """Classification of texts in their real lengths with the BERT of `BertWorkload`.

    Args:
        texts: "paragraphs" of the quick start, or a set of `benchmarks.tasks.sets` of texts or of pairs.
        data: the folder of those sets.
        sequence_length: the limit; longer texts are cut.
        batch_size: examples of a step.
        num_examples: in one repetition.
        num_classes: of the texts.
    """

    texts: str = "paragraphs"
    data: str | None = None
    sequence_length: int = 128
    batch_size: int = 32
    num_examples: int = 256
    num_classes: int = 6

    @property
    def bert(self) -> BertWorkload:
        return BertWorkload(sequence_length=self.sequence_length, batch_size=self.batch_size)


@dataclass(frozen=True)
class GenerationWorkload:
    """A decoder of GPT-2's kind that writes on behind prompts of one length: greedily, and never to an end."""

    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    vocabulary_size: int = 8192
    prompt_length: int = 32
    new_tokens: int = 128
    batch_size: int = 1

    @property
    def sequence_length(self) -> int:
        return self.prompt_length + self.new_tokens

    @property
    def written_tokens(self) -> int:
        """In one repetition."""
        return self.batch_size * self.new_tokens

    def prompts(self) -> np.ndarray:
        """Random ids, int32 (batch, prompt)."""
        shape = (self.batch_size, self.prompt_length)
        return np.random.default_rng(0).integers(FIRST_WORD, self.vocabulary_size, shape, np.int32)
