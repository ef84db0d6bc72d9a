"""ALBERT."""

from tfplm.errors import UserError
from tfplm.interop.families.encoder_parts import EncoderFamily, architectures_of
from tfplm.interop.families.layer_tables import dense
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import BertConfig


class AlbertFamily(EncoderFamily):
    """ALBERT: one block for all layers, and narrow embeddings that a dense layer widens.

    Source: Lan et al. 2020, "ALBERT"; the names of tensors are those of `transformers.AlbertModel`.
    """

    title = "ALBERT"
    model_types = ("albert",)
    architectures = architectures_of("Albert", "AlbertForPreTraining")
    prefix = "albert."
    head_dropout = "classifier_dropout_prob"
    ignored = (
        r"(albert\.)?embeddings\.(position_ids|token_type_ids)",
        r"(albert\.)?pooler\.(weight|bias)",
        r"predictions\.decoder\.(weight|bias)",
        r"sop_classifier\.classifier\.(weight|bias)",  # tells whether two sentences are in order
    )
    tied = (
        ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
        ("predictions.decoder.bias", "predictions.bias"),
    )
    sizes = {**EncoderFamily.sizes, "embedding_dim": "embedding_size"}
    numbers = {
        **EncoderFamily.numbers,
        "dropout": ("hidden_dropout_prob", 0.0),
        "attention_dropout": ("attention_probs_dropout_prob", 0.0),
    }
    activation = ("hidden_act", "gelu_new")
    only = {**EncoderFamily.only, "share_layers": True}
    supported = {**EncoderFamily.supported, "num_hidden_groups": (1,), "inner_group_num": (1,)}
    block = {
        "attention/qkv": ("attention.query", "attention.key", "attention.value"),
        "attention/output": ("attention.dense",),
        "attention_norm": ("attention.LayerNorm",),
        "feed_forward/intermediate": ("ffn",),
        "feed_forward/output": ("ffn_output",),
        "feed_forward_norm": ("full_layer_layer_norm",),
    }
    block_name = "encoder.albert_layer_groups.{}.albert_layers.0."
    pooler = "pooler"
    transform = "predictions.dense"
    transform_norm = "predictions.LayerNorm"
    output_bias = "predictions.bias"

    def read_config(self, values: dict, origin: str) -> BertConfig:
        config = super().read_config(values, origin)
        if config.embedding_dim == config.hidden_dim:
            raise UserError(
                f"{origin}: 'embedding_size' is {config.embedding_dim}, as 'hidden_size' is.",
                "Supported: an embedding_size that differs from hidden_size.",
            )
        return config

    def _check(self, config: BertConfig) -> None:
        super()._check(config)
        if config.width_of_embeddings == config.hidden_dim:
            raise self.has_no("embeddings as wide as the layers", "a model.embedding_dim that differs from hidden_dim")

    def _embeddings(self, config: BertConfig) -> list[Weight]:
        projection = dense("bert/embedding_projection", f"{self.prefix}encoder.embedding_hidden_mapping_in")
        return super()._embeddings(config) + projection
