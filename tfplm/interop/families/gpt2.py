"""GPT-2 and DistilGPT-2."""

from tfplm.config import validate
from tfplm.interop.config_values import ConfigValues
from tfplm.interop.families.decoder_parts import check_form, decoder_head, read_pad_id, written_pad_id
from tfplm.interop.families.layer_tables import dense, norm
from tfplm.interop.family import Family
from tfplm.interop.weight_table import Weight
from tfplm.models.configuration import GptConfig

# What config.json calls an activation, the name that is written first of those with one meaning.
_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
_SUPPORTED = {
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "quantization_config": (None,),
}
# The layers of a block, by what our block calls them.
_NORMS = {"attention_norm": "ln_1", "feed_forward_norm": "ln_2"}
_DENSE = {
    "attention/qkv": "attn.c_attn",
    "attention/output": "attn.c_proj",
    "feed_forward/intermediate": "mlp.c_fc",
    "feed_forward/output": "mlp.c_proj",
}


class Gpt2Family(Family):
    """GPT-2. Its dense kernels lie as ours do, (inputs, outputs), those of queries, keys and values in one.

    Of its rates of dropout, that of the residual sums is ours for embeddings and residual sums.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; the names of tensors and of the
    configuration are those of `transformers.GPT2Model`.
    """

    title = "GPT-2"
    model_types = ("gpt2",)
    architectures = {
        "GPT2LMHeadModel": "causal_lm",
        "GPT2Model": "text_embedding",
        "GPT2ForSequenceClassification": "text_classification",
        "GPT2ForTokenClassification": "token_classification",
        "GPT2ForQuestionAnswering": "question_answering",
    }
    prefix = "transformer."
    ignored = (r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)",)  # the causal mask, and what it puts in
    tied = (("lm_head.weight", "transformer.wte.weight"),)

    def read_config(self, values: dict, origin: str) -> GptConfig:
        read = ConfigValues(values, origin)
        for key, supported in _SUPPORTED.items():
            read.require(key, supported)
        vocabulary_size, hidden_dim = read.whole("vocab_size"), read.whole("n_embd")
        fields = {
            "vocabulary_size": vocabulary_size,
            "pad_id": read_pad_id(read, vocabulary_size),
            "num_layers": read.whole("n_layer"),
            "num_heads": read.whole("n_head"),
            "hidden_dim": hidden_dim,
            "intermediate_dim": 4 * hidden_dim if values.get("n_inner") is None else read.whole("n_inner"),
            "max_sequence_length": read.whole("n_positions"),
            "activation": read.meaning("activation_function", _ACTIVATIONS, "gelu_new"),
            "tie_embeddings": values.get("tie_word_embeddings", True),
            "dropout": read.number("resid_pdrop", 0.1),
            "attention_dropout": read.number("attn_pdrop", 0.1),
            "norm_epsilon": read.number("layer_norm_epsilon", 1e-5),
            "initializer_range": read.number("initializer_range", 0.02),
        }
        return validate(GptConfig, fields, origin)

    def write_config(self, config: GptConfig) -> dict:
        check_form(
            config,
            self.title,
            {
                "position_embedding": ("learned",),
                "norm": ("layer_norm",),
                "activation": ("gelu_tanh", "gelu", "relu"),
                "use_bias": (True,),
                "qkv_bias": (None, True),
                "num_key_value_heads": (None, config.num_heads),
                "head_dim": (None, config.hidden_dim // config.num_heads),
                "attention_window": (None,),
            },
        )
        return {
            "model_type": self.model_types[0],
            "vocab_size": config.vocabulary_size,
            "pad_token_id": written_pad_id(config.pad_id),
            "n_layer": config.num_layers,
            "n_head": config.num_heads,
            "n_embd": config.hidden_dim,
            "n_inner": config.intermediate_dim,
            "n_positions": config.max_sequence_length,
            "activation_function": next(key for key, ours in _ACTIVATIONS.items() if ours == config.activation),
            "tie_word_embeddings": config.tie_embeddings,
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": config.attention_dropout,
            "layer_norm_epsilon": config.norm_epsilon,
            "initializer_range": config.initializer_range,
        }

    def body(self, config: GptConfig) -> list[Weight]:
        weights = [
            Weight("gpt/token_embedding/embeddings", ("transformer.wte.weight",)),
            Weight("gpt/position_embedding/embeddings", ("transformer.wpe.weight",)),
            *norm("gpt/final_norm", "transformer.ln_f"),
        ]
        for index in range(config.num_layers):
            ours, theirs = f"gpt/block_{index}", f"transformer.h.{index}"
            for name, tensor in _NORMS.items():
                weights += norm(f"{ours}/{name}", f"{theirs}.{tensor}")
            for name, tensor in _DENSE.items():
                weights += dense(f"{ours}/{name}", f"{theirs}.{tensor}", layout="same")
        return weights

    def head(self, config: GptConfig, task_type: str, with_next_sentence: bool = False) -> list[Weight]:
        own = [Weight("causal_language_model/output_embedding/embeddings", ("lm_head.weight",))]
        return decoder_head(task_type, self.title, [] if config.tie_embeddings else own, "classifier")
