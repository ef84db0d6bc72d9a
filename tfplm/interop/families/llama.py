"""Decoders of Llama's shape: Llama (SmolLM too), Mistral and Qwen2."""

from abc import abstractmethod
from typing import Any

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.decoder_parts import check_form, decoder_head, read_pad_id, written_pad_id
from tfplm.interop.families.layer_tables import dense
from tfplm.interop.families.rotary_positions import read_rotary, write_rotary
from tfplm.interop.family import Family
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import GptConfig


def _architectures_of(name: str) -> dict[str, str]:
    """The classes whose names begin with ``name``."""
    return {
        f"{name}ForCausalLM": "causal_lm",
        f"{name}Model": "text_embedding",
        f"{name}ForSequenceClassification": "text_classification",
        f"{name}ForTokenClassification": "token_classification",
    }


_NO_BIAS = {"use_bias": (False,), "qkv_bias": (None, False)}


class _LlamaShaped(Family):
    """What the families of Llama's shape share: rotary positions, RMS norms and SwiGLU.

    Their checkpoints know no dropout but that of the attention scores.

    Source: Touvron et al. 2023, "LLaMA", section 2.2; the names of tensors and of the configuration are those of
    `transformers.LlamaModel`.

    Attributes:
        title: of the family, in messages.
        default_key_value_heads: where a config.json has none; None: as many as heads.
    """

    title: str
    default_key_value_heads: int | None = None
    prefix = "model."
    ignored = (r"(model\.)?layers\.\d+\.self_attn\.rotary_emb\.inv_freq",)
    tied = (("lm_head.weight", "model.embed_tokens.weight"),)

    def read_config(self, values: dict, origin: str) -> GptConfig:
        read = ConfigValues(values, origin)
        read.require("hidden_act", ("silu", "swish"))
        read.require("quantization_config", (None,))
        vocabulary_size, num_heads, hidden_dim = map(read.whole, ("vocab_size", "num_attention_heads", "hidden_size"))
        pairs, width = values.get("num_key_value_heads", self.default_key_value_heads), values.get("head_dim")
        fields = {
            "vocabulary_size": vocabulary_size,
            "pad_id": read_pad_id(read, vocabulary_size),
            "num_layers": read.whole("num_hidden_layers"),
            "num_heads": num_heads,
            "num_key_value_heads": None if pairs == num_heads else pairs,
            "hidden_dim": hidden_dim,
            "head_dim": None if width == hidden_dim / num_heads else width,
            "intermediate_dim": read.whole("intermediate_size"),
            "max_sequence_length": read.whole("max_position_embeddings"),
            "position_embedding": "rotary",
            "norm": "rms_norm",
            "activation": "swiglu",
            "tie_embeddings": values.get("tie_word_embeddings", False),
            "dropout": 0.0,
            "attention_dropout": read.number("attention_dropout", 0.0),
            "norm_epsilon": read.number("rms_norm_eps", 1e-6),
            "initializer_range": read.number("initializer_range", 0.02),
        }
        return validate(GptConfig, fields | read_rotary(read) | self._read_kind(read), origin)

    @abstractmethod
    def _read_kind(self, read: ConfigValues) -> dict[str, Any]:
        """Our fields of biases and of the attention's window."""

    @abstractmethod
    def _write_kind(self, config: GptConfig) -> dict[str, Any]:
        """The way back."""

    @abstractmethod
    def _supported_kind(self, config: GptConfig) -> dict[str, tuple]:
        """The values of these fields, and of others, that the family has a form for."""

    def write_config(self, config: GptConfig) -> dict:
        shape = {"position_embedding": ("rotary",), "norm": ("rms_norm",), "activation": ("swiglu",)}
        check_form(config, self.title, shape | self._supported_kind(config))
        return {
            "model_type": self.model_types[0],
            "vocab_size": config.vocabulary_size,
            "pad_token_id": written_pad_id(config.pad_id),
            "num_hidden_layers": config.num_layers,
            "num_attention_heads": config.num_heads,
            "num_key_value_heads": config.key_value_heads,
            "hidden_size": config.hidden_dim,
            "head_dim": config.width_of_head,
            "intermediate_size": config.intermediate_dim,
            "max_position_embeddings": config.max_sequence_length,
            "hidden_act": "silu",
            "tie_word_embeddings": config.tie_embeddings,
            "attention_dropout": config.attention_dropout,
            "rms_norm_eps": config.norm_epsilon,
            "initializer_range": config.initializer_range,
            **write_rotary(config),
            **self._write_kind(config),
        }

    def body(self, config: GptConfig) -> list[Weight]:
        weights = [
            Weight("gpt/token_embedding/embeddings", ("model.embed_tokens.weight",)),
            Weight("gpt/final_norm/scale", ("model.norm.weight",)),
        ]
        for index in range(config.num_layers):
            weights += _block(config, f"gpt/block_{index}", f"model.layers.{index}")
        return weights

    def head(self, config: GptConfig, task_type: str, with_next_sentence: bool = False) -> list[Weight]:
        own = [Weight("causal_language_model/output_embedding/embeddings", ("lm_head.weight",))]
        return decoder_head(task_type, self.title, [] if config.tie_embeddings else own, "score")


def _block(config: GptConfig, ours: str, theirs: str) -> list[Weight]:
    pairs = config.key_value_heads * config.width_of_head
    sizes = (config.num_heads * config.width_of_head, pairs, pairs)
    projections = [f"{theirs}.self_attn.{part}_proj" for part in "qkv"]
    qkv_bias = config.use_bias if config.qkv_bias is None else config.qkv_bias
    inner = [f"{theirs}.mlp.{part}_proj" for part in ("gate", "up")]  # what goes through SiLU comes first
    return [
        Weight(f"{ours}/attention_norm/scale", (f"{theirs}.input_layernorm.weight",)),
        *dense(f"{ours}/attention/qkv", *projections, use_bias=qkv_bias, sizes=sizes),
        *dense(f"{ours}/attention/output", f"{theirs}.self_attn.o_proj", use_bias=config.use_bias),
        Weight(f"{ours}/feed_forward_norm/scale", (f"{theirs}.post_attention_layernorm.weight",)),
        *dense(f"{ours}/feed_forward/intermediate", *inner, use_bias=config.use_bias),
        *dense(f"{ours}/feed_forward/output", f"{theirs}.mlp.down_proj", use_bias=config.use_bias),
    ]


class LlamaFamily(_LlamaShaped):
    """Llama, whose dense layers all have biases or none."""

    title = "Llama"
    model_types = ("llama",)
    architectures = _architectures_of("Llama")

    def _read_kind(self, read):
        use_bias = read.values.get("attention_bias", False)
        read.require("mlp_bias", (use_bias,))
        return {"use_bias": use_bias}

    def _write_kind(self, config):
        return {"attention_bias": config.use_bias, "mlp_bias": config.use_bias}

    def _supported_kind(self, config):
        width = config.hidden_dim - config.hidden_dim % config.num_heads  # transformers wants a multiple of the heads
        return {"qkv_bias": (None, config.use_bias), "attention_window": (None,), "hidden_dim": (width,)}


class MistralFamily(_LlamaShaped):
    """Mistral, with a window of attention or without. Source: Jiang et al. 2023, "Mistral 7B", section 2."""

    title = "Mistral"
    model_types = ("mistral",)
    architectures = _architectures_of("Mistral")
    default_key_value_heads = 8

    def _read_kind(self, read):
        return {"use_bias": False, "attention_window": _read_window(read)}

    def _write_kind(self, config):
        return {"sliding_window": config.attention_window}

    def _supported_kind(self, config):
        return _NO_BIAS


class Qwen2Family(_LlamaShaped):
    """Qwen2, with biases of queries, keys and values alone. Source: Yang et al. 2024, "Qwen2 Technical Report"."""

    title = "Qwen2"
    model_types = ("qwen2",)
    architectures = _architectures_of("Qwen2")
    default_key_value_heads = 32

    def _read_kind(self, read):
        window = _read_window(read) if self._has_window(read) else None
        return {"use_bias": False, "qkv_bias": True, "attention_window": window}

    def _has_window(self, read: ConfigValues) -> bool:
        """Whether all layers have one. Raises UserError where some have and others not."""
        if read.values.get("use_sliding_window", False) is not True:
            return False
        num_layers, first = read.whole("num_hidden_layers"), read.whole("max_window_layers", 28, least=0)
        told = read.values.get("layer_types") or [_layer_type(index >= first) for index in range(num_layers)]
        if told not in ([_layer_type(False)] * num_layers, [_layer_type(True)] * num_layers):
            raise UserError(
                f"{read.origin}: some layers have a window ('layer_types', 'max_window_layers') and others not.",
                "Supported: the same window in all layers, or none.",
            )
        return told[0] == _layer_type(True)

    def _write_kind(self, config):
        has_window = config.attention_window is not None
        return {
            "use_sliding_window": has_window,
            "sliding_window": config.attention_window,
            "max_window_layers": 0 if has_window else config.num_layers,
            "layer_types": [_layer_type(has_window)] * config.num_layers,
        }

    def _supported_kind(self, config):
        return {"use_bias": (False,), "qkv_bias": (True,)}


def _layer_type(has_window: bool) -> str:
    return "sliding_attention" if has_window else "full_attention"


def _read_window(read: ConfigValues) -> int | None:
    has_none = read.values.get("sliding_window", 0) is None
    return None if has_none else read.whole("sliding_window", 4096)
