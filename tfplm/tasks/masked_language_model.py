"""Masked-language modelling, with next-sentence prediction if wanted."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.feed_forward import activate
from tfplm.layers.output_bias import OutputBias
from tfplm.layers.pooling import gather_positions
from tfplm.models.bert import Bert
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.losses import TokenCrossEntropy
from tfplm.tasks.metrics import ExponentialOfMean, Perplexity
from tfplm.tasks.next_sentence import NextSentenceHead
from tfplm.tasks.task import Scores, Task
from tfplm.tasks.vocabulary_scores import OutputWeights, score_tokens, score_vocabulary


@keras.saving.register_keras_serializable(package="tfplm")
class MaskedLanguageModel(Task):
    """BERT with the head that fills in masked tokens; only the masked positions pass through it.

    Source: Devlin et al. 2019, "BERT", section 3.1. The head is that of the original: dense, activation, layer norm,
    then the token embeddings as output weights with a bias.

    Args:
        encoder: a `Bert`, whose weights are trained along.
        config: of the objective.

    Example:
        >>> model = MaskedLanguageModel(Bert(BertConfig(vocabulary_size=8192)), MaskedLmConfig())
        >>> model.compile_for_training(keras.optimizers.AdamW(1e-4))
    """

    task_type = "masked_lm"

    def __init__(self, encoder: Bert, config: MaskedLmConfig, **kwargs):
        kwargs.setdefault("name", "masked_language_model")
        super().__init__(**kwargs)
        self.encoder = encoder
        self.config = config
        sizes = encoder.config
        initializer = keras.initializers.TruncatedNormal(stddev=sizes.initializer_range)
        self.transform = keras.layers.Dense(encoder.hidden_dim, kernel_initializer=initializer, name="transform")
        self.transform_norm = keras.layers.LayerNormalization(epsilon=sizes.layer_norm_epsilon, name="transform_norm")
        self.output_bias = OutputBias(name="output_bias")
        self.next_sentence = (
            NextSentenceHead(initializer.clone(), name="next_sentence") if config.next_sentence else None
        )
        # Nothing else trains the pooler here; a task that uses it makes it trainable again.
        encoder.pooler.trainable = config.next_sentence
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        sizes = self.encoder.config
        self.transform.build((None, None, sizes.hidden_dim))
        self.transform_norm.build((None, None, self.encoder.hidden_dim))
        self.output_bias.build((None, None, sizes.vocabulary_size))
        if self.next_sentence is not None:
            self.next_sentence.build((None, sizes.hidden_dim))

    def call(self, inputs, training=None):
        """Scores the vocabulary at every masked position.

        Args:
            inputs: what the encoder takes, and MASK_POSITIONS (batch, predictions) integers.
            training: whether dropout is applied.

        Returns:
            Dictionary of MASKED_LM, logits (batch, predictions, vocabulary) in float32, and with next-sentence
            prediction NEXT_SENTENCE, logits (batch, 2) in float32.
        """
        hidden, pooled = self._hidden_at_predictions(inputs, training)
        outputs = {names.MASKED_LM: self._project(hidden)}
        if self.next_sentence is not None:
            outputs[names.NEXT_SENTENCE] = self.next_sentence(pooled)
        return outputs

    def _hidden_at_predictions(self, inputs: dict, training: bool | None) -> tuple[KerasTensor, KerasTensor]:
        """What the vocabulary is compared with, (batch, predictions, hidden_dim), and the pooled output."""
        encoded = self.encoder(inputs, training=training)
        hidden = gather_positions(encoded[names.SEQUENCE_OUTPUT], inputs[names.MASK_POSITIONS])
        hidden = self.transform_norm(activate(self.transform(hidden), self.encoder.config.activation, training))
        return hidden, encoded[names.POOLED_OUTPUT]

    def _project(self, hidden: KerasTensor) -> KerasTensor:
        embedding: TokenEmbedding = self.encoder.token_embedding
        return self.output_bias(embedding.project(hidden))

    def score(self, inputs, targets, weights, training):
        """Targets and weights by output: MASKED_LM (batch, predictions), and if it is trained NEXT_SENTENCE (batch,).

        A weight is 0 where a row has fewer predictions.
        """
        hidden, pooled = self._hidden_at_predictions(inputs, training)
        embedding: TokenEmbedding = self.encoder.token_embedding
        output = OutputWeights(embedding.embeddings, self.output_bias.bias, embedding.compute_dtype)
        words = score_vocabulary(output, hidden, targets[names.MASKED_LM], self.config.positions_per_chunk)
        of_words = weights[names.MASKED_LM]
        losses = {names.MASKED_LM: words.losses * of_words}
        metrics = {
            f"{names.MASKED_LM}_accuracy": (words.is_correct, of_words),
            f"{names.MASKED_LM}_perplexity": (words.losses, of_words),
        }
        if self.next_sentence is not None:
            pairs = score_tokens(self.next_sentence, pooled, targets[names.NEXT_SENTENCE])
            of_pairs = weights[names.NEXT_SENTENCE]
            losses[names.NEXT_SENTENCE] = pairs.losses * of_pairs
            metrics[f"{names.NEXT_SENTENCE}_accuracy"] = (pairs.is_correct, of_pairs)
        return Scores(losses, metrics)

    def normalizers(self, weights):
        return {name: ops.sum(values) for name, values in weights.items()}

    def build_score_metrics(self):
        metrics = [
            keras.metrics.Mean(f"{names.MASKED_LM}_accuracy"),
            ExponentialOfMean(f"{names.MASKED_LM}_perplexity"),
        ]
        if self.next_sentence is not None:
            metrics.append(keras.metrics.Mean(f"{names.NEXT_SENTENCE}_accuracy"))
        return metrics

    def build_loss(self) -> dict[str, keras.losses.Loss]:
        """Losses by output, weighted equally: their sum is what BERT was trained on."""
        losses = {names.MASKED_LM: TokenCrossEntropy()}
        if self.config.next_sentence:
            losses[names.NEXT_SENTENCE] = TokenCrossEntropy()
        return losses

    def build_metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Weighted metrics by output: in the logs masked_lm_accuracy, masked_lm_perplexity, next_sentence_accuracy."""
        prefix = "" if self.config.next_sentence else f"{names.MASKED_LM}_"  # Keras adds it where outputs are several
        accuracy = keras.metrics.SparseCategoricalAccuracy(name=f"{prefix}accuracy")
        metrics = {names.MASKED_LM: [accuracy, Perplexity(name=f"{prefix}perplexity")]}
        if self.config.next_sentence:
            metrics[names.NEXT_SENTENCE] = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        return metrics

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {"encoder": encoder, "config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        return cls(encoder, MaskedLmConfig.model_validate(config["config"]), name=config["name"])
