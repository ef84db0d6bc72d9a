"""RoBERTa with the norms before the layers."""

from tfplm.interop.families.encoder_parts import BERT_BLOCK, EncoderFamily, architectures_of
from tfplm.interop.families.layer_tables import norm
from tfplm.interop.families.roberta import RobertaFamily
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import BertConfig


class RobertaPreLayerNormFamily(RobertaFamily):
    """RoBERTa with pre-norm blocks and a norm after the last one.

    Source: Wettig et al. 2023, "Should You Mask 15% in Masked Language Modeling?"; the names of tensors are those of
    `transformers.RobertaPreLayerNormModel`.
    """

    title = "RoBERTa-PreLayerNorm"
    model_types = ("roberta-prelayernorm",)
    architectures = architectures_of("RobertaPreLayerNorm")
    prefix = "roberta_prelayernorm."
    ignored = tuple(pattern.replace("roberta", "roberta_prelayernorm") for pattern in RobertaFamily.ignored)
    tied = tuple((copy, name.replace("roberta.", "roberta_prelayernorm.")) for copy, name in RobertaFamily.tied)
    only = {**EncoderFamily.only, "norm_first": True}
    block = BERT_BLOCK | {
        "attention_norm": ("attention.LayerNorm",),
        "feed_forward_norm": ("intermediate.LayerNorm",),
    }

    def body(self, config: BertConfig) -> list[Weight]:
        return super().body(config) + norm("bert/final_norm", f"{self.prefix}LayerNorm")
