"""T5 1.0 and 1.1, Flan-T5 and mT5."""

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.layer_tables import dense
from tfplm.interop.family import Family
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import T5Config

_ACTIVATIONS = {"relu": "relu", "gated-gelu": "geglu", "gated-silu": "swiglu"}
_GATED = ("geglu", "swiglu")
_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_layers",
    "num_heads": "num_heads",
    "head_dim": "d_kv",
    "hidden_dim": "d_model",
    "intermediate_dim": "d_ff",
}


class T5Family(Family):
    """T5. What has the output weights of its own scales no outputs, which a config.json does not always say.

    Source: Raffel et al. 2020, "T5"; Xue et al. 2021, "mT5"; the names of tensors and of the configuration are those of
    `transformers.T5Model`.
    """

    title = "T5"
    model_types = ("t5", "mt5")
    architectures = {
        "T5ForConditionalGeneration": "seq2seq_lm",
        "MT5ForConditionalGeneration": "seq2seq_lm",
        "T5Model": "seq2seq_lm",
        "MT5Model": "seq2seq_lm",
    }
    prefix = ""
    # The first checkpoints have positions in the attention to the source, which nothing reads.
    ignored = (r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",)
    tied = (
        ("lm_head.weight", "shared.weight"),
        ("decoder.embed_tokens.weight", "shared.weight"),
        ("encoder.embed_tokens.weight", "shared.weight"),
    )

    def read_config(self, values: dict, origin: str) -> T5Config:
        read = ConfigValues(values, origin)
        read.require("quantization_config", (None,))
        pad_id = read.whole("pad_token_id", 0, least=0)
        read.require("decoder_start_token_id", (None, pad_id))
        fields = {field: read.whole(key) for field, key in _SIZES.items()}
        decoder_layers = values.get("num_decoder_layers")
        activation = "gated-gelu" if values.get("model_type") == "mt5" else "relu"
        fields |= {
            "pad_id": pad_id,
            "num_decoder_layers": None if decoder_layers == fields["num_layers"] else decoder_layers,
            "max_sequence_length": read.whole("n_positions", 512),
            "activation": read.meaning("feed_forward_proj", _ACTIVATIONS, activation),
            "tie_embeddings": _scales_outputs(read),
            "num_buckets": read.whole("relative_attention_num_buckets", 32),
            "max_distance": read.whole("relative_attention_max_distance", 128),
            "dropout": read.number("dropout_rate", 0.1),
            "norm_epsilon": read.number("layer_norm_epsilon", 1e-6),
            "initializer_factor": read.number("initializer_factor", 1.0),
        }
        return validate(T5Config, fields, origin)

    def write_config(self, config: T5Config) -> dict:
        if config.pad_id < 0:
            raise UserError(
                "A T5 without padding has no first token of its decoder.", "Expected model.pad_id 0 or more."
            )
        return {
            "model_type": self.model_types[0],
            "is_encoder_decoder": True,
            **{key: getattr(config, field) for field, key in _SIZES.items()},
            "pad_token_id": config.pad_id,
            "decoder_start_token_id": config.pad_id,
            "num_decoder_layers": config.decoder_layers,
            "n_positions": config.max_sequence_length,
            "feed_forward_proj": next(key for key, ours in _ACTIVATIONS.items() if ours == config.activation),
            "tie_word_embeddings": config.tie_embeddings,
            "scale_decoder_outputs": config.tie_embeddings,
            "relative_attention_num_buckets": config.num_buckets,
            "relative_attention_max_distance": config.max_distance,
            "dropout_rate": config.dropout,
            "layer_norm_epsilon": config.norm_epsilon,
            "initializer_factor": config.initializer_factor,
        }

    def body(self, config: T5Config) -> list[Weight]:
        depths = {"encoder": config.num_layers, "decoder": config.decoder_layers}
        weights = [Weight("t5/token_embedding/embeddings", ("shared.weight",))]
        for stack, depth in depths.items():
            bias = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            weights.append(Weight(f"t5/{stack}/relative_position_bias/embeddings", (bias,)))
            weights.append(Weight(f"t5/{stack}/final_norm/scale", (f"{stack}.final_layer_norm.weight",)))
            for index in range(depth):
                weights += _block(config, f"t5/{stack}/block_{index}", f"{stack}.block.{index}.layer")
        return weights

    def head(self, config: T5Config, task_type: str, with_next_sentence: bool = False) -> list[Weight]:
        if task_type != "seq2seq_lm":
            raise UserError(f"A checkpoint of T5 has no form for the task {task_type}.", "Supported: seq2seq_lm.")
        if config.tie_embeddings:
            return []
        # transformers 5 leaves out the output weights where they are the token embeddings, scaled outputs or not.
        variable = "seq2seq_language_model/output_embedding/embeddings"
        return [Weight(variable, ("lm_head.weight",), otherwise=("shared.weight",))]


def _scales_outputs(read: ConfigValues) -> bool:
    """Whether the outputs are scaled before the output weights, as only tied ones need it.

    transformers 4 scales where ``tie_word_embeddings`` says so; transformers 5 says it of every T5, and has the word
    ``scale_decoder_outputs`` for the outputs of T5, while it never scales those of mT5.

    Raises:
        UserError: an mT5 of transformers 4 that scales, which transformers 5 would read as another model.
    """
    values = read.values
    for key in ("scale_decoder_outputs", "tie_word_embeddings"):
        read.require(key, (True, False))
    if values.get("model_type") == "mt5":
        is_old = str(values.get("transformers_version", "")).startswith(("4.", "3.", "2."))
        if is_old and values.get("tie_word_embeddings", False):
            raise UserError(
                f"{read.origin}: 'tie_word_embeddings' is true of an mT5 that transformers 4 saved.",
                "Supported: mT5 with output weights of its own, as the published ones have.",
                'It is a T5 in all but its name: write "model_type": "t5" into its config.json.',
            )
        return False
    return values.get("scale_decoder_outputs", values.get("tie_word_embeddings", True))


def _block(config: T5Config, ours: str, theirs: str) -> list[Weight]:
    """The parts of a block are numbered, each with its norm."""
    attention = [
        *dense(f"{ours}/attention/qkv", *(f"{theirs}.0.SelfAttention.{part}" for part in "qkv"), use_bias=False),
        *dense(f"{ours}/attention/output", f"{theirs}.0.SelfAttention.o", use_bias=False),
    ]
    source = f"{theirs}.1.EncDecAttention"
    source_attention = [
        *dense(f"{ours}/source_attention/query", f"{source}.q", use_bias=False),
        *dense(f"{ours}/source_attention/key_value", f"{source}.k", f"{source}.v", use_bias=False),
        *dense(f"{ours}/source_attention/output", f"{source}.o", use_bias=False),
    ]
    is_decoder = "/decoder/" in ours
    norms = (
        ("attention_norm", "source_norm", "feed_forward_norm")
        if is_decoder
        else ("attention_norm", "feed_forward_norm")
    )
    last = f"{theirs}.{len(norms) - 1}.DenseReluDense"
    first = ("wi_0", "wi_1") if config.activation in _GATED else ("wi",)
    return [
        *attention,
        *(source_attention if is_decoder else []),
        *dense(f"{ours}/feed_forward/intermediate", *(f"{last}.{name}" for name in first), use_bias=False),
        *dense(f"{ours}/feed_forward/output", f"{last}.wo", use_bias=False),
        *(
            Weight(f"{ours}/{name}/scale", (f"{theirs}.{number}.layer_norm.weight",))
            for number, name in enumerate(norms)
        ),
    ]
