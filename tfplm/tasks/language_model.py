"""What the tasks that write text share: output weights, losses, metrics, and reading token by token."""

from abc import abstractmethod
from collections.abc import Callable

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.generation.writer import Decoded, Writer
from tfplm.layers.output_bias import OutputBias
from tfplm.tasks.losses import TokenCrossEntropy
from tfplm.tasks.metrics import ExponentialOfMean, Perplexity
from tfplm.tasks.task import Scores, Task
from tfplm.tasks.vocabulary_scores import OutputWeights, score_vocabulary


class LanguageModel(Task, Writer):
    """A body that gives a hidden state for every target, and the vocabulary's output weights.

    Subclasses set ``encoder`` (the body), ``config`` (with ``positions_per_chunk``), ``output_embedding`` (a
    `TokenEmbedding`) and ``output_bias`` (an `OutputBias`, or None), and say by `_to_output` what leads from the body's
    outputs to the output weights.
    """

    encoder: keras.Model
    output_embedding: keras.layers.Layer
    output_bias: OutputBias | None

    @abstractmethod
    def _to_output(self, hidden: KerasTensor, row_seeds: KerasTensor | None, training: bool | None) -> KerasTensor:
        """Maps the body's outputs (…, output_dim) to what is multiplied with the output weights (…, embedding_dim)."""

    def call(self, inputs, training=None):
        """Scores the vocabulary for the token after every position.

        Args:
            inputs: what the body takes.
            training: whether dropout is applied.

        Returns:
            Dictionary of NEXT_TOKEN, logits (batch, sequence, vocabulary) in float32.
        """
        return {names.NEXT_TOKEN: self._project(self._hidden(inputs, training))}

    def prefill(self, inputs: dict, cache_length: int) -> Decoded:
        return self._decoded(*self.encoder.prefill(inputs, cache_length))

    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> Decoded:
        return self._decoded(*self.encoder.decode(token_ids, state))

    def decoder(self) -> Callable[[KerasTensor, dict[str, KerasTensor]], Decoded]:
        # Transposed in memory, once: XLA multiplies few rows with a transposed matrix up to ten times slower on a CPU.
        weights = self.output_embedding.output_weights()
        return lambda token_ids, state: self._decoded(*self.encoder.decode(token_ids, state), weights)

    def _decoded(
        self, output: KerasTensor, state: dict[str, KerasTensor], output_weights: KerasTensor | None = None
    ) -> Decoded:
        hidden = self._to_output(output, None, False)
        return Decoded(self._project(hidden[:, None], output_weights)[:, 0], hidden, state)

    def _hidden(self, inputs: dict, training: bool | None) -> KerasTensor:
        """What the vocabulary is compared with: (batch, sequence, embedding_dim)."""
        output = self.encoder(inputs, training=training)[names.SEQUENCE_OUTPUT]
        return self._to_output(output, inputs.get(names.ROW_SEEDS), training)

    def _project(self, hidden: KerasTensor, output_weights: KerasTensor | None = None) -> KerasTensor:
        logits = self.output_embedding.project(hidden, output_weights)
        return ops.cast(logits, "float32") if self.output_bias is None else self.output_bias(logits)

    def score(self, inputs, targets, weights, training):
        """Targets and weights are {NEXT_TOKEN: (batch, sequence)}, the weights 0 where nothing is to be said."""
        embedding = self.output_embedding
        bias = None if self.output_bias is None else self.output_bias.bias
        output = OutputWeights(embedding.embeddings, bias, embedding.compute_dtype)
        hidden = self._hidden(inputs, training)
        words = score_vocabulary(output, hidden, targets[names.NEXT_TOKEN], self.config.positions_per_chunk)
        of_words = weights[names.NEXT_TOKEN]
        metrics = {
            f"{names.NEXT_TOKEN}_accuracy": (words.is_correct, of_words),
            f"{names.NEXT_TOKEN}_perplexity": (words.losses, of_words),
        }
        return Scores({names.NEXT_TOKEN: words.losses * of_words}, metrics)

    def normalizers(self, weights):
        return {names.NEXT_TOKEN: ops.sum(weights[names.NEXT_TOKEN])}

    def build_score_metrics(self):
        return [
            keras.metrics.Mean(f"{names.NEXT_TOKEN}_accuracy"),
            ExponentialOfMean(f"{names.NEXT_TOKEN}_perplexity"),
        ]

    def build_loss(self) -> dict[str, keras.losses.Loss]:
        """Losses by output."""
        return {names.NEXT_TOKEN: TokenCrossEntropy()}

    def build_metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Weighted metrics by output: next_token_accuracy and next_token_perplexity in the logs."""
        accuracy = keras.metrics.SparseCategoricalAccuracy(name=f"{names.NEXT_TOKEN}_accuracy")
        return {names.NEXT_TOKEN: [accuracy, Perplexity(name=f"{names.NEXT_TOKEN}_perplexity")]}

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {"encoder": encoder, "config": self.config.model_dump(), "name": self.name}
