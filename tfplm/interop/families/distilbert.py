"""DistilBERT."""

from tfplm.interop.families.encoder_parts import EncoderFamily, architectures_of


class DistilBertFamily(EncoderFamily):
    """DistilBERT: BERT without segments and pooler.

    Its sinusoidal positions, where it has them, lie in the file like learned ones.

    Source: Sanh et al. 2019, "DistilBERT"; the names of tensors are those of `transformers.DistilBertModel`, which also
    fixes the epsilon of the norms.
    """

    title = "DistilBERT"
    model_types = ("distilbert",)
    architectures = architectures_of("DistilBert")
    prefix = "distilbert."
    head_dropout = "seq_classif_dropout"
    ignored = (r"(distilbert\.)?embeddings\.position_ids", r"vocab_projector\.weight")
    tied = (("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),)
    sizes = {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
        "max_sequence_length": "max_position_embeddings",
    }
    numbers = {
        "dropout": ("dropout", 0.1),
        "attention_dropout": ("attention_dropout", 0.1),
        "initializer_range": ("initializer_range", 0.02),
    }
    activation = ("activation", "gelu")
    only = {**EncoderFamily.only, "num_segments": 0, "layer_norm_epsilon": 1e-12, "pooler_activation": "relu"}
    block = {
        "attention/qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "attention/output": ("attention.out_lin",),
        "attention_norm": ("sa_layer_norm",),
        "feed_forward/intermediate": ("ffn.lin1",),
        "feed_forward/output": ("ffn.lin2",),
        "feed_forward_norm": ("output_layer_norm",),
    }
    block_name = "transformer.layer.{}."
    pooler = ""
    first_dense = "pre_classifier"
    transform = "vocab_transform"
    transform_norm = "vocab_layer_norm"
    output_bias = "vocab_projector.bias"
