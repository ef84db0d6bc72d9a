"""What the families of encoders share: reading sizes, and the tables of blocks and heads."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.layer_tables import dense, norm
from tfplm.interop.family import Family
from tfplm.interop.weight_table import Weight
from tfplm.layers.embeddings import SinusoidalPositionEmbedding
from tfplm.models.configuration import BertConfig

# What config.json calls an activation, the name that is written first of those with one meaning.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}

_POSITIONS = "bert/position_embedding/embeddings"

# The layers of a block, by what our block calls them.
BERT_BLOCK = {
    "attention/qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention/output": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "feed_forward/intermediate": ("intermediate.dense",),
    "feed_forward/output": ("output.dense",),
    "feed_forward_norm": ("output.LayerNorm",),
}


def architectures_of(name: str, *for_pretraining: str) -> dict[str, str]:
    """The classes of an encoder whose names begin with ``name``; those of pretraining are masked language models."""
    return {
        f"{name}Model": "text_embedding",
        f"{name}ForMaskedLM": "masked_lm",
        **dict.fromkeys(for_pretraining, "masked_lm"),
        f"{name}ForSequenceClassification": "text_classification",
        f"{name}ForTokenClassification": "token_classification",
        f"{name}ForQuestionAnswering": "question_answering",
    }


def layer(variable: str, *tensors: str) -> list[Weight]:
    """A layer norm or a dense layer, as the name of the variable says."""
    return norm(variable, *tensors) if variable.endswith("_norm") else dense(variable, *tensors)


def optional(weights: list[Weight]) -> list[Weight]:
    """The same weights where a checkpoint need not have them."""
    return [Weight(weight.variable, weight.tensors, weight.layout, is_new=True) for weight in weights]


class EncoderFamily(Family):
    """An encoder that `Bert` computes; what a family does not say for itself is as in BERT.

    Attributes:
        title: of the family, in messages.
        sizes: the keys of config.json by our field: whole numbers that every config.json has.
        numbers: the keys of rates and the like by our field, with the values where a config.json has none.
        activation: the key of the activation, and the value where a config.json has none.
        default_pad_id: where config.json has no pad_token_id.
        only: our fields that have one value in this family, and the value.
        supported: keys of config.json for what is not supported, and the values that mean its absence.
        block: the layers of a block by what our block calls them.
        block_name: what the names of the first block's layers begin with, ``{}`` being its number.
        pooler: the body's pooler, "" where it has none.
        first_dense: the first dense layer of the head of a text classifier, which our pooler is; "": the body's pooler.
        classifier: the last layer of the head of a text classifier.
        transform: of the head that fills in masked tokens, the dense layer,
        transform_norm: the norm behind it,
        output_bias: and the bias of every token.
        transform_activation: the activation of that head whatever the body's is; "": the body's.
        next_sentence: the layer that tells next sentences, "" where the family has none.
    """

    title: str
    sizes: Mapping[str, str] = {
        "vocabulary_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "hidden_dim": "hidden_size",
        "intermediate_dim": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
        "num_segments": "type_vocab_size",
    }
    numbers: Mapping[str, tuple[str, float]] = {
        "dropout": ("hidden_dropout_prob", 0.1),
        "attention_dropout": ("attention_probs_dropout_prob", 0.1),
        "layer_norm_epsilon": ("layer_norm_eps", 1e-12),
        "initializer_range": ("initializer_range", 0.02),
    }
    activation = ("hidden_act", "gelu")
    default_pad_id = 0
    only: Mapping[str, Any] = {"pooler_activation": "tanh", "norm_first": False, "share_layers": False}
    supported: Mapping[str, tuple] = {
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "pruned_heads": ({}, None),
    }
    block: Mapping[str, tuple[str, ...]] = BERT_BLOCK
    block_name = "encoder.layer.{}."
    pooler = "pooler.dense"
    first_dense = ""
    classifier = "classifier"
    transform: str
    transform_norm: str
    output_bias: str
    transform_activation = ""
    next_sentence = ""
    may_lack = ("bert/pooler/",)

    def read_config(self, values: dict, origin: str) -> BertConfig:
        read = ConfigValues(values, origin)
        for key, supported in self.supported.items():
            read.require(key, supported)
        fields = {field: read.whole(key) for field, key in self.sizes.items()}
        fields |= {field: read.number(key, default) for field, (key, default) in self.numbers.items()}
        fields["activation"] = read.meaning(self.activation[0], ACTIVATIONS, self.activation[1])
        fields["pad_id"] = self._read_pad_id(read)
        fields["max_sequence_length"] -= self.rows_before(fields["pad_id"])
        if fields["max_sequence_length"] < 1:
            raise UserError(
                f"{origin}: '{self.sizes['max_sequence_length']}' leaves no position beside the padding's.",
                f"Expected over {self.rows_before(fields['pad_id'])}.",
            )
        return validate(BertConfig, fields | dict(self.only), origin)

    def _read_pad_id(self, read: ConfigValues) -> int:
        if "pad_token_id" in read.values and read.values["pad_token_id"] is None:
            return -1
        return read.whole("pad_token_id", self.default_pad_id, least=0)

    def write_config(self, config: BertConfig) -> dict:
        self._check(config)
        values = {"model_type": self.model_types[0]}
        values |= {key: getattr(config, field) for field, key in self.sizes.items()}
        values |= {key: getattr(config, field) for field, (key, _) in self.numbers.items()}
        values[self.sizes["max_sequence_length"]] += self.rows_before(config.pad_id)
        values[self.activation[0]] = next(key for key, meaning in ACTIVATIONS.items() if meaning == config.activation)
        values["pad_token_id"] = None if config.pad_id < 0 else config.pad_id
        return values

    def _check(self, config: BertConfig) -> None:
        """Raises UserError where this family has no model of the configuration, naming every field at once."""
        wanted = dict(self.only)
        if "embedding_dim" not in self.sizes:
            wanted["embedding_dim"] = None if config.embedding_dim is None else config.hidden_dim
        wrong = {field: value for field, value in wanted.items() if getattr(config, field) != value}
        if config.position_embedding == "relative":
            wrong["position_embedding"] = "learned or sinusoidal"
        if config.num_segments == 0 and "num_segments" in self.sizes:
            wrong["num_segments"] = "1 or more"
        if wrong:
            raise self.has_no(
                ", ".join(f"model.{field} {getattr(config, field)}" for field in wrong),
                ", ".join(f"{field} {value}" for field, value in wrong.items()),
            )

    def has_no(self, found: str, supported: str) -> UserError:
        """The error for a model that this family has no form for."""
        return UserError(f"A checkpoint of {self.title} has no form for {found}.", f"Supported: {supported}.")

    def rows_before(self, pad_id: int) -> int:
        """The rows of the table of positions that come before that of the first token."""
        return 0

    def current_name(self, name: str) -> str:
        """The first checkpoints, converted from TensorFlow, call the weights of norms gamma and beta."""
        return re.sub(r"(LayerNorm\.)gamma$", r"\1weight", re.sub(r"(LayerNorm\.)beta$", r"\1bias", name))

    def body(self, config: BertConfig) -> list[Weight]:
        weights = self._embeddings(config)
        for index in range(1 if config.share_layers else config.num_layers):
            start = self.prefix + self.block_name.format(index)
            for ours, theirs in self.block.items():
                weights += layer(f"bert/block_{index}/{ours}", *(start + name for name in theirs))
        return weights

    def _embeddings(self, config: BertConfig) -> list[Weight]:
        start = f"{self.prefix}embeddings."
        rows_before = self.rows_before(config.pad_id)
        weights = [
            Weight("bert/token_embedding/embeddings", (f"{start}word_embeddings.weight",)),
            Weight(_POSITIONS, (f"{start}position_embeddings.weight",), rows_before=rows_before),
        ]
        if config.num_segments:
            weights.append(Weight("bert/segment_embedding/embeddings", (f"{start}token_type_embeddings.weight",)))
        return weights + norm("bert/embedding_norm", f"{start}LayerNorm")

    def computed(self, config: BertConfig) -> dict[str, np.ndarray]:
        """Sinusoidal positions leave as rows of the table of learned ones."""
        if config.position_embedding != "sinusoidal":
            return {}
        length = config.max_sequence_length
        positions = SinusoidalPositionEmbedding(length, config.width_of_embeddings, dtype="float32")
        return {_POSITIONS: ops.convert_to_numpy(positions(np.zeros((1, length))))[0]}

    def head(self, config: BertConfig, task_type: str, with_next_sentence: bool = False) -> list[Weight]:
        heads = {
            "text_embedding": lambda config: optional(self._pooler()),
            "masked_lm": self._next_sentence_head if with_next_sentence else self._masked_lm_head,
            "text_classification": self._text_classification_head,
            "token_classification": lambda config: dense("token_classifier/classifier", "classifier"),
            "question_answering": lambda config: dense("question_answering/span", "qa_outputs"),
        }
        if task_type not in heads:
            raise self.has_no(f"the task {task_type}", ", ".join(heads))
        return heads[task_type](config)

    def _pooler(self) -> list[Weight]:
        return dense("bert/pooler", self.prefix + self.pooler) if self.pooler else []

    def _text_classification_head(self, config: BertConfig) -> list[Weight]:
        first = dense("bert/pooler", self.first_dense) if self.first_dense else self._pooler()
        return first + dense("text_classifier/classifier", self.classifier)

    def _masked_lm_head(self, config: BertConfig) -> list[Weight]:
        if self.transform_activation and config.activation != self.transform_activation:
            raise self.has_no(
                f"the activation {config.activation} in a masked language model", self.transform_activation
            )
        return [*optional(self._pooler()), *self._predictions()]

    def _predictions(self) -> list[Weight]:
        return [
            *dense("masked_language_model/transform", self.transform),
            *norm("masked_language_model/transform_norm", self.transform_norm),
            Weight("masked_language_model/output_bias/bias", (self.output_bias,)),
        ]

    def _next_sentence_head(self, config: BertConfig) -> list[Weight]:
        if not self.next_sentence:
            raise self.has_no("the prediction of next sentences", "masked language models without it")
        theirs, ours = self.next_sentence, "masked_language_model/next_sentence/classifier"
        return [
            *self._pooler(),
            *self._predictions(),
            Weight(f"{ours}/kernel", (f"{theirs}.weight",), "reversed"),  # there 0 stands for "is next", here 1
            Weight(f"{ours}/bias", (f"{theirs}.bias",), "reversed"),
        ]
