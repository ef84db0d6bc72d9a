"""One vector for a text, by which texts are compared."""

from typing import Any

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.encoder_task import EncoderTask
from tfplm.tasks.grouped_rows import rows_of_examples
from tfplm.tasks.in_batch_contrast import InBatchContrast, InBatchRecall, unit_length
from tfplm.tasks.metrics import PearsonCorrelation
from tfplm.tasks.task import Scores
from tfplm.tasks.text_regression import ScaledSquaredError


@keras.saving.register_keras_serializable(package="tfplm")
class TextEmbedder(EncoderTask):
    """An encoder and one vector of its outputs for every text; it has no variables of its own.

    It learns from pairs by ``config.objective``, contrastive or similarity, or its vectors shall be those that a
    teacher gave for the same texts. The negatives of the contrastive objective are the other texts of the batch, so the
    loss depends on how many rows are seen at once: micro-batches and replicas see only their own.

    Source: Reimers and Gurevych 2019, "Sentence-BERT", section 3, for the pooling and similarity; `InBatchContrast` for
    the contrastive objective; Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings Multilingual using
    Knowledge Distillation", section 3, for distillation.

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
                PACKING_IDS, which count from 1 in every row, are among it. Where the texts of a pair are learned from,
                all but ROW_SEEDS is (batch, texts, sequence).
            training: whether the encoder's dropout is applied.

        Returns:
            Vectors (batch, dim) in float32; with EXAMPLE_STARTS (batch, examples, dim). Of pairs a dictionary of
            EMBEDDINGS, vectors (batch, texts, dim), and SIMILARITY, the cosine (batch,) of the first two.
        """
        if len(inputs[names.TOKEN_IDS].shape) == 2:
            return self._vectors(inputs, training)
        num_texts = inputs[names.TOKEN_IDS].shape[1]
        vectors = self._vectors(rows_of_examples(inputs), training)  # all texts of the batch at once
        vectors = ops.reshape(vectors, (-1, num_texts, vectors.shape[-1]))
        first, second = unit_length(vectors[:, 0]), unit_length(vectors[:, 1])
        return {names.EMBEDDINGS: vectors, names.SIMILARITY: ops.sum(first * second, axis=-1)}

    def _vectors(self, inputs: dict, training: bool | None) -> KerasTensor:
        vectors = ops.cast(self._pooled(inputs, training), "float32")
        return unit_length(vectors) if self.config.normalize else vectors

    @property
    def _learned_output(self) -> str | None:
        """The output of pairs that the objective judges; None where vectors are learned."""
        return {"contrastive": names.EMBEDDINGS, "similarity": names.SIMILARITY}.get(self.config.objective)

    def build_loss(self) -> Any:
        """By objective: `InBatchContrast` of the vectors of pairs, the squared error of cosines, or of vectors."""
        if self.config.objective == "contrastive":
            return {names.EMBEDDINGS: InBatchContrast(self.config.temperature, self.config.symmetric)}
        if self.config.objective == "similarity":
            return {names.SIMILARITY: ScaledSquaredError(1.0)}
        return keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")

    def build_metrics(self) -> Any:
        """Weighted metrics by objective.

        Of pairs the share of partners found in the batch, and the correlation of cosines with scores; of vectors the
        cosine similarity to those that are to be learned.
        """
        if self._learned_output is None:
            return [keras.metrics.CosineSimilarity()]
        # Of new models all cosines are near 1.
        return {names.EMBEDDINGS: [InBatchRecall()], names.SIMILARITY: [PearsonCorrelation(offset=1.0)]}

    def score(self, inputs, targets, weights, training):
        """Targets and weights by output: EMBEDDINGS (batch, texts) and SIMILARITY (batch,); both weights are (batch,).

        A weight is 0 where a pair has no score, or its texts are no partners, or the row only fills up a batch. For
        distillation targets (batch, dim) are the teacher's vectors and weights (batch,); where a row holds several
        texts, both have (batch, examples) in place of (batch,).
        """
        outputs, output = self(inputs, training=training), self._learned_output
        if output is None:
            losses = {self.task_type: self.build_loss().call(targets, outputs) * weights}
            return Scores(losses, {"cosine_similarity": (targets, outputs, weights)})
        losses = {self.task_type: self.build_loss()[output].call(targets[output], outputs[output]) * weights[output]}
        judged = {"recall_at_1": names.EMBEDDINGS, "pearson": names.SIMILARITY}
        return Scores(losses, {name: (targets[part], outputs[part], weights[part]) for name, part in judged.items()})

    def normalizers(self, weights):
        output = self._learned_output
        return {self.task_type: ops.sum(weights if output is None else weights[output])}

    def build_score_metrics(self):
        metrics = self.build_metrics()
        return metrics if isinstance(metrics, list) else [metric for (metric,) in metrics.values()]
