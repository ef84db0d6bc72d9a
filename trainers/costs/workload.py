"""One training step, as the costs see it."""

from dataclasses import dataclass

from tfplm.models.configuration import ModelConfig

Precision = str  # as in RuntimeConfig.precision


@dataclass(frozen=True)
class Workload:
    """One training step: a model, its head and its batch.

    Args:
        model: with its vocabulary_size.
        sequence_length: tokens of a row, padding included; of an encoder-decoder those of the source.
        batch_size: rows of a step, over all replicas and micro-batches.
        accumulation_steps: micro-batches of a replica.
        rematerialize: whether blocks are computed again for their gradients.
        optimizer: its type.
        target_length: tokens of a row that the decoder of an encoder-decoder reads; 0 for other models.
        predictions: positions of a row that are compared with the whole vocabulary; 0 for a classifier.
        positions_per_chunk: of the vocabulary loss.
        next_sentence: whether there is a next-sentence head.
        num_classes: of a classifier; 0 for a language model, and where the encoder has no head.
        is_pooled: whether the encoder's pooled output is trained.
    """

    model: ModelConfig
    sequence_length: int
    batch_size: int
    accumulation_steps: int
    rematerialize: bool
    optimizer: str
    target_length: int = 0
    predictions: int = 0
    positions_per_chunk: int | None = None
    next_sentence: bool = False
    num_classes: int = 0
    is_pooled: bool = False

    @property
    def tokens(self) -> int:
        """Of a step, padding included: what is computed."""
        return self.batch_size * (self.sequence_length + self.target_length)

    def rows_at_once(self, num_replicas: int = 1) -> float:
        """Of a micro-batch of one replica."""
        return self.batch_size / (num_replicas * self.accumulation_steps)
