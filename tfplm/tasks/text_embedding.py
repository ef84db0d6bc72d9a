"""One vector for a text, by which texts are compared."""

import keras
from keras import KerasTensor, ops

from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.encoder_task import EncoderTask
from tfplm.tasks.task import Scores

_LEAST_SQUARED_NORM = 1e-24  # a text without tokens has the vector 0, and keeps it


@keras.saving.register_keras_serializable(package="tfplm")
class TextEmbedder(EncoderTask):
    """An encoder and one vector of its outputs for every text; it has no variables of its own.

    It learns by distillation: its vectors shall be those that a teacher gave for the same texts.

    Source: Reimers and Gurevych 2019, "Sentence-BERT", section 3, for the pooling; 2020, "Making Monolingual Sentence
    Embeddings Multilingual using Knowledge Distillation", section 3, for the training.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.

    Example:
        >>> embedder = TextEmbedder(encoder, TextEmbeddingConfig(normalize=True))
        >>> vectors = embedder({"token_ids": ids})
        >>> cosines = vectors @ ops.transpose(vectors)
    """

    task_type = "text_embedding"
    config_type = TextEmbeddingConfig

    def __init__(self, encoder: Encoder, config: TextEmbeddingConfig, **kwargs):
        kwargs.setdefault("name", "text_embedder")
        super().__init__(encoder, config, trains_pooler=config.pooling == "encoder", **kwargs)
        self.build()

    def build(self, input_shape=None):
        """Creates nothing: the encoder has its variables already."""

    def call(self, inputs, training=None):
        """Gives a vector for every text.

        Args:
            inputs: what the encoder takes. Where a row holds several texts, EXAMPLE_STARTS (batch, examples) and
                PACKING_IDS, which count from 1 in every row, are among it.
            training: whether the encoder's dropout is applied.

        Returns:
            Vectors (batch, dim) in float32; with EXAMPLE_STARTS (batch, examples, dim).
        """
        vectors = ops.cast(self._pooled(inputs, training), "float32")
        return _normalized(vectors) if self.config.normalize else vectors

    def build_loss(self) -> keras.losses.Loss:
        """Mean squared error of every vector, the mean over the sample weights."""
        return keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")

    def build_metrics(self) -> list[keras.metrics.Metric]:
        """Weighted metrics: the cosine similarity to the vectors that are to be learned."""
        return [keras.metrics.CosineSimilarity()]

    def score(self, inputs, targets, weights, training):
        """Targets (batch, dim) are the teacher's vectors, weights (batch,) 0 for rows that only fill up a batch.

        Where a row holds several texts, both have (batch, examples) in place of (batch,).
        """
        vectors = self(inputs, training=training)
        losses = {self.task_type: self.build_loss().call(targets, vectors) * weights}
        return Scores(losses, {"cosine_similarity": (targets, vectors, weights)})

    def normalizers(self, weights):
        return {self.task_type: ops.sum(weights)}

    def build_score_metrics(self):
        return self.build_metrics()


def _normalized(vectors: KerasTensor) -> KerasTensor:
    """Vectors (…, dim) of length 1, with finite gradients at 0 too, where those of `ops.normalize` are not."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _LEAST_SQUARED_NORM))
