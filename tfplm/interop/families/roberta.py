"""RoBERTa and XLM-RoBERTa, which differ in their tokenizers alone."""

from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.encoder_parts import EncoderFamily, architectures_of
from tfplm.models.configuration import BertConfig


class RobertaFamily(EncoderFamily):
    """RoBERTa: BERT with other positions and heads.

    Positions count from ``pad_id + 1``, so the rows before that belong to no token.

    Source: Liu et al. 2019, "RoBERTa"; the names of tensors are those of `transformers.RobertaModel`.
    """

    title = "RoBERTa"
    model_types = ("roberta",)
    architectures = architectures_of("Roberta")
    prefix = "roberta."
    ignored = (
        r"(roberta\.)?embeddings\.(position_ids|token_type_ids)",
        r"(roberta\.)?pooler\.dense\.(weight|bias)",
        r"lm_head\.decoder\.(weight|bias)",
    )
    tied = (
        ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
        ("lm_head.decoder.bias", "lm_head.bias"),
    )
    default_pad_id = 1
    first_dense = "classifier.dense"
    classifier = "classifier.out_proj"
    transform = "lm_head.dense"
    transform_norm = "lm_head.layer_norm"
    output_bias = "lm_head.bias"
    transform_activation = "gelu"

    def rows_before(self, pad_id: int) -> int:
        return pad_id + 1

    def _read_pad_id(self, read: ConfigValues) -> int:
        return read.whole("pad_token_id", self.default_pad_id, least=0)

    def _check(self, config: BertConfig) -> None:
        super()._check(config)
        if config.pad_id < 0:
            raise self.has_no("a vocabulary without padding", "model.pad_id from 0 on")


class XlmRobertaFamily(RobertaFamily):
    """RoBERTa of many languages. Source: Conneau et al. 2020, "Unsupervised Cross-lingual Representation Learning"."""

    title = "XLM-RoBERTa"
    model_types = ("xlm-roberta",)
    architectures = architectures_of("XLMRoberta")
