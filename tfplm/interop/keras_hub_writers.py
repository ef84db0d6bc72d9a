"""KerasHub's models that write: GPT-2, T5 and the Llama family."""

from typing import Any

from tfplm.errors import UserError
from tfplm.interop.keras_hub_families import PlaceTable, PresetFamily, block_place, count, setting
from tfplm.interop.renamed_tensors import flat, inputs_first, outputs_last, transposed
from tfplm.interop.tensors import Tensors

_TOKENS = "layers/reversible_embedding/vars/0"
_OUTPUTS = "layers/reversible_embedding/vars/1"


class WriterPreset(PresetFamily):
    """A model whose head has no weights of its own, or has them with the body's."""

    def add_head(self, architecture: str, table: PlaceTable) -> None:
        """Adds nothing."""


class Gpt2Preset(WriterPreset):
    """GPT-2, whose kernels are (inputs, outputs) in Hugging Face's files as well."""

    backbones = ("GPT2Backbone",)
    model_type = "gpt2"
    default = "GPT2LMHeadModel"
    tasks = {"GPT2CausalLM": "GPT2LMHeadModel"}

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        return {
            "model_type": "gpt2",
            "vocab_size": count(settings, "vocabulary_size"),
            "n_layer": count(settings, "num_layers"),
            "n_head": count(settings, "num_heads"),
            "n_embd": count(settings, "hidden_dim"),
            "n_inner": count(settings, "intermediate_dim"),
            "n_positions": count(settings, "max_sequence_length"),
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "tie_word_embeddings": True,
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), settings.get("dropout", 0.1)),
        }

    def add_body(self, settings: dict[str, Any], table: PlaceTable) -> None:
        table.add("transformer.wte.weight", _TOKENS)
        table.add("transformer.wpe.weight", "layers/position_embedding/vars/0")
        table.norm("transformer.ln_f", "layers/layer_normalization")
        for index in range(count(settings, "num_layers")):
            self._add_block(f"transformer.h.{index}.", block_place("transformer_decoder", index), table)

    def _add_block(self, name: str, place: str, table: PlaceTable) -> None:
        attention = f"{place}/_self_attention_layer"
        parts = [f"{attention}/{part}_dense/vars" for part in ("query", "key", "value")]
        table.add(f"{name}attn.c_attn.weight", *(f"{part}/0" for part in parts), change=inputs_first)
        table.add(f"{name}attn.c_attn.bias", *(f"{part}/1" for part in parts), change=flat)
        table.add(f"{name}attn.c_proj.weight", f"{attention}/output_dense/vars/0", change=outputs_last)
        table.add(f"{name}attn.c_proj.bias", f"{attention}/output_dense/vars/1")
        table.norm(f"{name}ln_1", f"{attention}_norm")
        table.norm(f"{name}mlp.c_fc", f"{place}/_feedforward_intermediate_dense")
        table.norm(f"{name}mlp.c_proj", f"{place}/_feedforward_output_dense")
        table.norm(f"{name}ln_2", f"{place}/_feedforward_layer_norm")


class T5Preset(WriterPreset):
    """T5: the blocks of its encoder come first, then the decoder's, which attend to the source as well."""

    backbones = ("T5Backbone",)
    model_type = "t5"
    default = "T5ForConditionalGeneration"
    tasks = {"T5Seq2SeqLM": "T5ForConditionalGeneration"}

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        num_layers, num_heads = count(settings, "num_layers"), count(settings, "num_heads")
        buckets = "layers/t5_transformer_layer/self_attention/vars/0"
        if buckets not in file.names():
            raise UserError(f"{file.origin} has no {buckets}.", "Expected the weights of the model in config.json.")
        return {
            "model_type": "t5",
            "vocab_size": count(settings, "vocabulary_size"),
            "num_layers": num_layers,
            "num_decoder_layers": num_layers,
            "num_heads": num_heads,
            "d_model": count(settings, "hidden_dim"),
            "d_ff": count(settings, "intermediate_dim"),
            "d_kv": settings.get("key_value_dim") or count(settings, "hidden_dim") // num_heads,
            "feed_forward_proj": _feed_forward(settings),
            "relative_attention_num_buckets": file.shape(buckets)[0],
            "relative_attention_max_distance": 128,
            "layer_norm_epsilon": settings.get("layer_norm_epsilon", 1e-6),
            "dropout_rate": settings.get("dropout", 0.1),
            "tie_word_embeddings": bool(settings.get("tie_embedding_weights", True)),
            "pad_token_id": 0,
            "eos_token_id": 1,
            "decoder_start_token_id": 0,
            "is_encoder_decoder": True,
        }

    def add_body(self, settings: dict[str, Any], table: PlaceTable) -> None:
        table.add("shared.weight", _TOKENS)
        if not settings.get("tie_embedding_weights", True):
            table.add("lm_head.weight", _OUTPUTS, change=transposed)
        num_layers, is_gated = count(settings, "num_layers"), bool(settings.get("use_gated_activation", True))
        for stack, side in enumerate(("encoder", "decoder")):
            for index in range(num_layers):
                place = block_place("t5_transformer_layer", stack * num_layers + index)
                self._add_block(f"{side}.block.{index}.layer.", place, index == 0, side == "decoder", is_gated, table)
            table.add(f"{side}.final_layer_norm.weight", f"{block_place('t5_layer_norm', stack)}/vars/0")

    def _add_block(
        self, name: str, place: str, is_first: bool, is_decoder: bool, is_gated: bool, table: PlaceTable
    ) -> None:
        self._add_attention(f"{name}0.SelfAttention", f"{name}0.layer_norm", f"{place}/self_attention", table)
        if is_first:
            bias = f"{name}0.SelfAttention.relative_attention_bias.weight"
            table.add(bias, f"{place}/self_attention/vars/0")
        if is_decoder:
            self._add_attention(f"{name}1.EncDecAttention", f"{name}1.layer_norm", f"{place}/cross_attention", table)
        name = f"{name}{1 + is_decoder}"
        inputs = {"wi_0": "input_projector", "wi_1": "gate_projector"} if is_gated else {"wi": "input_projector"}
        for theirs, ours in (inputs | {"wo": "output_projector"}).items():
            table.dense(f"{name}.DenseReluDense.{theirs}", f"{place}/{ours}", has_bias=False)
        table.add(f"{name}.layer_norm.weight", f"{place}/layer_norm/vars/0")

    def _add_attention(self, name: str, norm: str, place: str, table: PlaceTable) -> None:
        for part in ("query", "key", "value", "output"):
            table.dense(f"{name}.{part[0]}", f"{place}/{part}_projector", has_bias=False)
        table.add(f"{norm}.weight", f"{place}_layer_norm/vars/0")


class LlamaPreset(WriterPreset):
    """Llama."""

    backbones = ("LlamaBackbone", "Llama3Backbone")
    model_type = "llama"
    default = "LlamaForCausalLM"
    tasks = {"LlamaCausalLM": "LlamaForCausalLM", "Llama3CausalLM": "LlamaForCausalLM"}
    block = "llama_transformer_decoder"
    final_norm = "llama_layer_norm"

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        values = {
            "model_type": self.model_type,
            "vocab_size": count(settings, "vocabulary_size"),
            "num_hidden_layers": count(settings, "num_layers"),
            "num_attention_heads": count(settings, "num_query_heads"),
            "num_key_value_heads": count(settings, "num_key_value_heads"),
            "hidden_size": count(settings, "hidden_dim"),
            "intermediate_size": count(settings, "intermediate_dim"),
            "max_position_embeddings": 4096,  # the preset has no such limit
            "hidden_act": "silu",
            "rms_norm_eps": settings.get("layer_norm_epsilon", 1e-6),
            "rope_theta": float(settings.get("rope_max_wavelength", 10000)),
            "tie_word_embeddings": _OUTPUTS not in file.names(),
        }
        return values | self._scaling(settings)

    def _scaling(self, settings: dict[str, Any]) -> dict[str, Any]:
        if settings.get("rope_frequency_adjustment_factor") is None:
            factor = settings.get("rope_position_scaling_factor", 1.0)
            return {} if factor == 1 else {"rope_scaling": {"rope_type": "linear", "factor": factor}}
        return {
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": settings["rope_frequency_adjustment_factor"],
                "low_freq_factor": setting(settings, "rope_low_freq_factor"),
                "high_freq_factor": setting(settings, "rope_high_freq_factor"),
                "original_max_position_embeddings": setting(settings, "rope_pretraining_sequence_length"),
            }
        }

    def add_body(self, settings: dict[str, Any], table: PlaceTable) -> None:
        table.add("model.embed_tokens.weight", _TOKENS)
        table.add("model.norm.weight", f"layers/{self.final_norm}/vars/0")
        if _OUTPUTS in table.file.names():
            table.add("lm_head.weight", _OUTPUTS, change=transposed)
        for index in range(count(settings, "num_layers")):
            self._add_block(f"model.layers.{index}.", block_place(self.block, index), table)

    def _add_block(self, name: str, place: str, table: PlaceTable) -> None:
        for part in ("query", "key", "value", "output"):
            attention = f"{place}/_self_attention_layer/_{part}_dense"
            table.dense(f"{name}self_attn.{part[0]}_proj", attention, has_bias=False)
        for theirs, ours in {"gate": "gate", "up": "intermediate", "down": "output"}.items():
            table.dense(f"{name}mlp.{theirs}_proj", f"{place}/_feedforward_{ours}_dense", has_bias=False)
        table.add(f"{name}input_layernorm.weight", f"{place}/_self_attention_layernorm/vars/0")
        table.add(f"{name}post_attention_layernorm.weight", f"{place}/_feedforward_layernorm/vars/0")


class MistralPreset(LlamaPreset):
    """Mistral: Llama's layers with attention to a window."""

    backbones = ("MistralBackbone",)
    model_type = "mistral"
    default = "MistralForCausalLM"
    tasks = {"MistralCausalLM": "MistralForCausalLM"}
    block = "mistral_transformer_decoder"
    final_norm = "mistral_layer_normalization"

    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        values = super().config_values(settings, file) | {"sliding_window": settings.get("sliding_window")}
        return values | ({"head_dim": settings["head_dim"]} if settings.get("head_dim") else {})

    def _scaling(self, settings: dict[str, Any]) -> dict[str, Any]:
        factor = settings.get("rope_scaling_factor", 1.0)
        return {} if factor == 1 else {"rope_scaling": {"rope_type": "linear", "factor": factor}}


def _feed_forward(settings: dict[str, Any]) -> str:
    """Hugging Face's name of the feed-forward layer, where "gated-gelu" means the tanh form. Raises UserError."""
    activation = settings.get("activation")
    if isinstance(activation, dict):  # a function that Keras serialized
        activation = activation.get("config")
    is_gated = bool(settings.get("use_gated_activation", True))
    names = {"relu": "relu", "keras_hub>gelu_approximate": "gelu" if is_gated else "gelu_new"}
    names |= {} if is_gated else {"gelu": "gelu"}
    if not isinstance(activation, str) or activation not in names:
        raise UserError(f"The preset's T5 has the activation {activation!r}.", f"Supported: {', '.join(names)}.")
    return f"gated-{names[activation]}" if is_gated else names[activation]
