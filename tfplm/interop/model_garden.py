"""Which variables of Model Garden's BERT (`official.nlp.modeling`) are which tensors of Hugging Face's."""

import re
from pathlib import Path
from typing import Any

import yaml

from tfplm.errors import UserError
from tfplm.interop.renamed_tensors import Renamed, flat, from_heads, same, to_heads, transposed
from tfplm.interop.tensors import Tensors

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_LARGEST_PARAMS = 1 << 20  # bytes
_STATE = re.compile(r"(.*/)?optimizer/|save_counter|global_step|.*/\.OPTIMIZER_SLOT/")
_BLOCK = re.compile(r"(.*/)(?:layer_with_weights-|_transformer_layers/)(\d+)/_attention_layer/_query_dense/kernel")

_BLOCK_LAYERS = {
    "attention.self.query": "_attention_layer/_query_dense",
    "attention.self.key": "_attention_layer/_key_dense",
    "attention.self.value": "_attention_layer/_value_dense",
    "attention.output.dense": "_attention_layer/_output_dense",
    "attention.output.LayerNorm": "_attention_layer_norm",
    "intermediate.dense": "_intermediate_dense",
    "output.dense": "_output_dense",
    "output.LayerNorm": "_output_layer_norm",
}
# The outer layers: of BertEncoderV2 by name; of BertEncoder by number, the pooler's being the one behind the blocks.
_NAMED = {
    "word_embeddings": "_embedding_layer",
    "position_embeddings": "_position_embedding_layer",
    "token_type_embeddings": "_type_embedding_layer",
    "LayerNorm": "_embedding_norm_layer",
    "pooler": "_pooler_layer",
}
_ENCODER_KEYS = {  # of params.yaml
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "hidden_activation": "hidden_act",
    "dropout_rate": "hidden_dropout_prob",
    "attention_dropout_rate": "attention_probs_dropout_prob",
    "max_position_embeddings": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "initializer_range": "initializer_range",
    "embedding_size": "embedding_size",
    "norm_first": "norm_first",
}


def garden_table(file: Tensors) -> tuple[str, list[Renamed]]:
    """The architecture and the tensors of a checkpoint that Model Garden's scripts wrote.

    The encoder may be the whole checkpoint or lie in a model with heads, in any place. What is no part of BERT keeps
    its name.

    Raises:
        UserError: there is no BERT in it.
    """
    table = _Table(file)
    found = [match for match in map(_BLOCK.fullmatch, table.names) if match]
    if len({match[1] for match in found}) != 1:
        raise UserError(
            f"{file.origin} holds no BERT encoder of Model Garden, or several.",
            "Supported: BertEncoder and BertEncoderV2, alone or in a BertPretrainerV2 or with a classifier.",
        )
    encoder = found[0][1]
    blocks = sorted((int(match[2]), match[0].split("_attention_layer")[0]) for match in found)
    for index, (_, place) in enumerate(blocks):
        for theirs, ours in _BLOCK_LAYERS.items():
            table.add_layer(f"bert.encoder.layer.{index}.{theirs}", place + ours)
    layers = {key: encoder + name for key, name in _NAMED.items()}
    if "_transformer_layers" not in blocks[0][1]:
        numbers = (0, 1, 2, 3, blocks[-1][0] + 1)
        layers = {key: f"{encoder}layer_with_weights-{number}" for key, number in zip(_NAMED, numbers, strict=True)}
    pooler = layers.pop("pooler")
    for theirs, place in layers.items():
        table.add_layer(f"bert.embeddings.{theirs}", place)
    architecture = _add_heads(table, encoder, pooler)
    table.add_rest()
    return architecture, table.entries


class _Table:
    """Collects the entries, each variable of the checkpoint once."""

    def __init__(self, file: Tensors):
        self.file = file
        self.names = [name.removesuffix(_VALUE) for name in file.names() if not _STATE.match(name)]
        self.entries: list[Renamed] = []
        self._rest = set(self.names)

    def add(self, name: str, source: str, change=same) -> None:
        if source in self._rest:
            self._rest.remove(source)
            self.entries.append(Renamed(name, (source + _VALUE,), change))

    def add_layer(self, name: str, place: str) -> None:
        """The variables of a dense layer, a norm or an embedding, as far as they are there."""
        if f"{place}/kernel" in self._rest:
            is_dense = len(self.file.shape(f"{place}/kernel{_VALUE}")) == 2
            kernel = transposed if is_dense else from_heads if place.endswith("_output_dense") else to_heads
            self.add(f"{name}.weight", f"{place}/kernel", kernel)
        self.add(f"{name}.bias", f"{place}/bias", flat)
        self.add(f"{name}.weight", f"{place}/gamma")
        self.add(f"{name}.bias", f"{place}/beta")
        self.add(f"{name}.weight", f"{place}/embeddings")

    def leave_out(self, place: str) -> None:
        self._rest -= {f"{place}/kernel", f"{place}/bias"}

    def add_rest(self) -> None:
        for name in sorted(self._rest):
            self.add(name, name)


def _add_heads(table: _Table, encoder: str, pooler: str) -> str:
    """Adds the heads and the pooler, which a head may bring along, and tells the architecture."""
    outside = [name for name in table.names if not name.startswith(encoder)]
    masked = _place(outside, "embedding_table")
    if masked is not None:
        table.add("bert.embeddings.word_embeddings.weight", f"{masked}embedding_table")
        table.add_layer("cls.predictions.transform.dense", f"{masked}dense")
        table.add_layer("cls.predictions.transform.LayerNorm", f"{masked}layer_norm")
        table.add("cls.predictions.bias", f"{masked}output_bias.Sbias")
    name, architecture = ("cls.seq_relationship", "BertForPreTraining") if masked is not None else ("", "")
    if (head := _place(outside, "out_proj/kernel")) is not None:
        if f"{head}dense/kernel" in outside:  # then the encoder's own pooler is idle
            table.add_layer("bert.pooler.dense", f"{head}dense")
            table.leave_out(pooler)
        table.add_layer(name or "classifier", f"{head}out_proj")
        architecture = architecture or "BertForSequenceClassification"
    elif (head := _place(outside, "layer_with_weights-1/layer_with_weights-0/kernel")) is not None:
        table.add_layer(name or "qa_outputs", f"{head}layer_with_weights-1/layer_with_weights-0")
        architecture = architecture or "BertForQuestionAnswering"
    elif (head := _place(outside, "layer_with_weights-1/kernel")) is not None:
        table.add_layer("classifier", f"{head}layer_with_weights-1")
        architecture = "BertForTokenClassification"
    else:
        architecture = "BertModel" if masked is None else "BertForMaskedLM"
        if (head := _place(outside, "pooler_dense/kernel")) is not None:  # of a head saved without its last layer
            table.add_layer("bert.pooler.dense", f"{head}pooler_dense")
            table.leave_out(pooler)
    table.add_layer("bert.pooler.dense", pooler)
    return architecture


def _place(names: list[str], ending: str) -> str | None:
    """What stands before ``ending`` in the first name that ends so."""
    return next((name.removesuffix(ending) for name in names if re.search(rf"(^|[/.]){ending}$", name)), None)


def read_params(path: Path) -> dict[str, Any]:
    """The values of config.json from the ``params.yaml`` that Model Garden's train scripts write.

    Raises:
        UserError: it is no such file, or its model is no BERT.
    """
    try:
        with path.open("rb") as file:
            values = yaml.safe_load(file.read(_LARGEST_PARAMS))
        encoder = values["task"]["model"]["encoder"]
        bert = encoder[encoder.get("type") or "bert"]
    except (OSError, yaml.YAMLError, RecursionError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} does not tell of a BERT: {error!r}.",
            "Expected task.model.encoder.bert, as Model Garden writes it.",
        ) from error
    if encoder.get("type", "bert") != "bert" or not isinstance(bert, dict):
        raise UserError(f"{path}: the encoder is a {encoder.get('type')!r}.", "Supported: bert.")
    return config_from_garden({_ENCODER_KEYS[key]: value for key, value in bert.items() if key in _ENCODER_KEYS})


def config_from_garden(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a bert_config.json as Model Garden reads it: its "gelu" is the tanh form.

    Raises:
        UserError: the model is one that BERT is not.
    """
    width = values.get("embedding_size")
    if values.pop("norm_first", False) or (width is not None and width != values.get("hidden_size")):
        raise UserError(
            "The BERT of Model Garden normalizes first, or its embeddings have another width than its blocks.",
            "Supported: norm_first false, embedding_size null.",
        )
    activation = values.get("hidden_act", "gelu")
    return {**values, "hidden_act": "gelu_new" if activation == "gelu" else activation}
