"""BERT."""

from tfplm.interop.families.encoder_parts import EncoderFamily, architectures_of


class BertFamily(EncoderFamily):
    """BERT. Source: Devlin et al. 2019, "BERT"; the names of tensors are those of `transformers.BertModel`."""

    title = "BERT"
    model_types = ("bert",)
    architectures = architectures_of("Bert", "BertForPreTraining")
    next_sentence_architecture = "BertForPreTraining"
    prefix = "bert."
    ignored = (
        r"(bert\.)?embeddings\.(position_ids|token_type_ids)",
        r"(bert\.)?pooler\.dense\.(weight|bias)",  # left from pretraining where a head has no use for it
        r"cls\.predictions\.decoder\.(weight|bias)",
        r"cls\.seq_relationship\.(weight|bias)",
    )
    tied = (
        ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    )
    transform = "cls.predictions.transform.dense"
    transform_norm = "cls.predictions.transform.LayerNorm"
    output_bias = "cls.predictions.bias"
    next_sentence = "cls.seq_relationship"
