"""KerasHub's encoders."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.keras_hub_families import PlaceTable, PresetFamily, block_place, count
from tfplm.interop.tensors import Tensors

# The layers of a block: query, key, value, output, its norm, the feed-forward layers, their norm.
_ATTENTION = "_self_attention_layer"
_BLOCK = (
    f"{_ATTENTION}/query_dense",
    f"{_ATTENTION}/key_dense",
    f"{_ATTENTION}/value_dense",
    f"{_ATTENTION}/output_dense",
    f"{_ATTENTION}_norm",
    "_feedforward_intermediate_dense",
    "_feedforward_output_dense",
    "_feedforward_layer_norm",
)
_BERT_BLOCK = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_JOINT = "layers/token_and_position_embedding"


class EncoderPreset(PresetFamily):
    """An encoder.

    Attributes:
        name: what the classes' names begin with, in KerasHub and in Hugging Face alike.
        prefix: of the body's tensors.
        keys: of the sizes in Hugging Face's config.json by those of KerasHub.
        constants: values of config.json that KerasHub fixes.
        block: the layers of a block by Hugging Face's names.
        block_name: the beginning of the names of a block, ``{}`` being its number.
        classifier: the layers of a classifier's head by their places.
        predictions: the dense layer, the norm and the bias of the head for masked tokens.
    """

    name: str
    prefix: str
    keys: Mapping[str, str] = {
        "vocabulary_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "hidden_dim": "hidden_size",
        "intermediate_dim": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
    }
    rates = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    constants: Mapping[str, Any]
    block: tuple[str, ...] = _BERT_BLOCK
    block_name = "encoder.layer.{}."
    classifier: Mapping[str, str]
    predictions: tuple[str, str, str]

    @property
    def backbones(self) -> tuple[str, ...]:
        return (f"{self.name}Backbone",)

    @property
    def default(self) -> str:
        return f"{self.name}Model"

    @property
    def tasks(self) -> dict[str, str]:
        return {
            f"{self.name}TextClassifier": f"{self.name}ForSequenceClassification",
            f"{self.name}MaskedLM": f"{self.name}ForMaskedLM",
            f"{self.name}TextEmbedder": self.default,
        }

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        sizes = {theirs: count(settings, ours) for ours, theirs in self.keys.items()}
        rates = dict.fromkeys(self.rates, settings.get("dropout", 0.1))
        return {"model_type": self.model_type, **sizes, **rates, **self.constants}

    def add_body(self, settings: dict[str, Any], table: PlaceTable) -> None:
        self._add_embeddings(table)
        for index in range(self._num_blocks(settings)):
            start = self.prefix + self.block_name.format(index)
            for theirs, ours in zip(self.block, _BLOCK, strict=True):
                place = f"{block_place('transformer_encoder', index)}/{ours}"
                (table.norm if ours.endswith("_norm") else table.dense)(start + theirs, place)

    def _num_blocks(self, settings: dict[str, Any]) -> int:
        return count(settings, "num_layers")

    def _add_embeddings(self, table: PlaceTable) -> None:
        """The embeddings of an encoder without segments, whose tables of tokens and positions are one layer."""
        start = f"{self.prefix}embeddings."
        table.add(f"{start}word_embeddings.weight", f"{_JOINT}/token_embedding/vars/0")
        table.add(f"{start}position_embeddings.weight", f"{_JOINT}/position_embedding/vars/0")
        table.norm(f"{start}LayerNorm", "layers/layer_normalization")

    def _add_separate_embeddings(self, table: PlaceTable) -> None:
        start = f"{self.prefix}embeddings."
        table.add(f"{start}word_embeddings.weight", "layers/reversible_embedding/vars/0")
        table.add(f"{start}position_embeddings.weight", "layers/position_embedding/vars/0")
        table.add(f"{start}token_type_embeddings.weight", "layers/embedding/vars/0")
        table.norm(f"{start}LayerNorm", "layers/layer_normalization")

    def add_head(self, architecture: str, table: PlaceTable) -> None:
        if architecture.endswith("ForSequenceClassification"):
            for theirs, place in self.classifier.items():
                table.dense(theirs, place)
        elif architecture.endswith("ForMaskedLM"):
            dense, norm, bias = self.predictions
            table.dense(dense, "layers/masked_lm_head/_intermediate_dense")
            table.norm(norm, "layers/masked_lm_head/_intermediate_layer_norm")
            table.add(bias, "layers/masked_lm_head/vars/0")


class BertPreset(EncoderPreset):
    """BERT."""

    name = "Bert"
    model_type = "bert"
    prefix = "bert."
    keys = {**EncoderPreset.keys, "num_segments": "type_vocab_size"}
    constants = {"hidden_act": "gelu_new", "layer_norm_eps": 1e-12, "pad_token_id": 0}
    classifier = {"classifier": "layers/dense"}
    predictions = ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")

    def _add_embeddings(self, table: PlaceTable) -> None:
        self._add_separate_embeddings(table)
        table.dense("bert.pooler.dense", "layers/dense")


class RobertaPreset(EncoderPreset):
    """RoBERTa, whose positions begin behind two idle rows in Hugging Face's table."""

    name = "Roberta"
    model_type = "roberta"
    prefix = "roberta."
    constants = {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 1, "type_vocab_size": 1}
    classifier = {"classifier.dense": "layers/dense", "classifier.out_proj": "layers/dense_1"}
    predictions = ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias")

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        values = super().config_values(settings, file)
        return values | {"max_position_embeddings": values["max_position_embeddings"] + 2}

    def _add_embeddings(self, table: PlaceTable) -> None:
        start = "roberta.embeddings."
        table.add(f"{start}word_embeddings.weight", f"{_JOINT}/token_embedding/vars/0")
        table.add(f"{start}position_embeddings.weight", f"{_JOINT}/position_embedding/vars/0", change=_behind_two_rows)
        table.norm(f"{start}LayerNorm", "layers/layer_normalization")
        table.derive(f"{start}token_type_embeddings.weight", "layers/layer_normalization/vars/1", _row_of_zeros)


class XlmRobertaPreset(RobertaPreset):
    """XLM-RoBERTa: RoBERTa with another tokenizer."""

    name = "XLMRoberta"
    model_type = "xlm-roberta"


class DistilBertPreset(EncoderPreset):
    """DistilBERT."""

    name = "DistilBert"
    model_type = "distilbert"
    prefix = "distilbert."
    keys = {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
        "max_sequence_length": "max_position_embeddings",
    }
    rates = ("dropout", "attention_dropout")
    constants = {"activation": "gelu", "pad_token_id": 0, "sinusoidal_pos_embds": False}
    block = (
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    )
    block_name = "transformer.layer.{}."
    classifier = {"pre_classifier": "layers/dense", "classifier": "layers/dense_1"}
    predictions = ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias")


class AlbertPreset(EncoderPreset):
    """ALBERT of one group and one inner layer."""

    name = "Albert"
    model_type = "albert"
    prefix = "albert."
    keys = {**EncoderPreset.keys, "num_segments": "type_vocab_size", "embedding_dim": "embedding_size"}
    constants = {
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
    }
    block = (
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "attention.LayerNorm",
        "ffn",
        "ffn_output",
        "full_layer_layer_norm",
    )
    block_name = "encoder.albert_layer_groups.{}.albert_layers.0."
    classifier = {"classifier": "layers/dense"}
    predictions = ("predictions.dense", "predictions.LayerNorm", "predictions.bias")

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        for key in ("num_groups", "num_inner_repetitions"):
            if settings.get(key, 1) != 1:
                raise UserError(f"The preset's config.json: '{key}' is {settings[key]!r}.", "Supported: 1.")
        return super().config_values(settings, file)

    def _num_blocks(self, settings: dict[str, Any]) -> int:
        return 1

    def _add_embeddings(self, table: PlaceTable) -> None:
        self._add_separate_embeddings(table)
        table.dense("albert.encoder.embedding_hidden_mapping_in", "layers/dense")
        table.dense("albert.pooler", "layers/dense_1")


def _behind_two_rows(positions: np.ndarray) -> np.ndarray:
    return np.pad(positions, ((2, 0), (0, 0)))


def _row_of_zeros(bias: np.ndarray) -> np.ndarray:
    """(hidden_dim) as a table of one segment, (1, hidden_dim), that adds nothing."""
    return np.zeros((1, *bias.shape), bias.dtype)
