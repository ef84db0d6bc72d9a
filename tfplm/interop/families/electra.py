"""ELECTRA, generators and discriminators."""

from tfplm.interop.families.encoder_parts import EncoderFamily, architectures_of
from tfplm.interop.families.layer_tables import dense
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import BertConfig


class ElectraFamily(EncoderFamily):
    """ELECTRA: BERT without a pooler, with narrow embeddings in its smaller models.

    Of a discriminator the body is taken, not the head that tells replaced tokens.

    Source: Clark et al. 2020, "ELECTRA"; the names of tensors are those of `transformers.ElectraModel`.
    """

    title = "ELECTRA"
    model_types = ("electra",)
    architectures = {**architectures_of("Electra"), "ElectraForPreTraining": "text_embedding"}
    prefix = "electra."
    ignored = (
        r"(electra\.)?embeddings\.(position_ids|token_type_ids)",
        r"discriminator_predictions\.(dense|dense_prediction)\.(weight|bias)",
        r"generator_lm_head\.weight",
    )
    tied = (("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"),)
    sizes = {**EncoderFamily.sizes, "embedding_dim": "embedding_size"}
    only = {**EncoderFamily.only, "pooler_activation": "gelu"}
    pooler = ""
    first_dense = "classifier.dense"
    classifier = "classifier.out_proj"
    transform = "generator_predictions.dense"
    transform_norm = "generator_predictions.LayerNorm"
    output_bias = "generator_lm_head.bias"
    transform_activation = "gelu"

    def read_config(self, values: dict, origin: str) -> BertConfig:
        config = super().read_config(values, origin)
        is_as_wide = config.embedding_dim == config.hidden_dim
        return config.model_copy(update={"embedding_dim": None}) if is_as_wide else config

    def write_config(self, config: BertConfig) -> dict:
        return super().write_config(config) | {"embedding_size": config.width_of_embeddings}

    def _embeddings(self, config: BertConfig) -> list[Weight]:
        weights = super()._embeddings(config)
        if config.width_of_embeddings != config.hidden_dim:
            weights += dense("bert/embedding_projection", f"{self.prefix}embeddings_project")
        return weights
