"""The families of decoders and encoder-decoders with small configurations."""

from tfplm.interop.families.gpt2 import Gpt2Family
from tfplm.interop.families.llama import LlamaFamily, MistralFamily, Qwen2Family
from tfplm.interop.families.t5 import T5Family
from tfplm.models.configuration import GptConfig, LinearRotaryScaling, Llama3RotaryScaling, T5Config

GPT2 = GptConfig(
    vocabulary_size=50,
    num_layers=2,
    num_heads=4,
    hidden_dim=16,
    intermediate_dim=24,
    max_sequence_length=12,
    dropout=0.2,
    attention_dropout=0.3,
    initializer_range=0.05,
)
LLAMA = GPT2.model_copy(
    update={
        "pad_id": -1,
        "num_key_value_heads": 2,
        "position_embedding": "rotary",
        "rotary_base": 500.0,
        "norm": "rms_norm",
        "activation": "swiglu",
        "use_bias": False,
        "tie_embeddings": False,
        "dropout": 0.0,
        "norm_epsilon": 1e-6,
    }
)
T5_ORIGINAL = T5Config(
    vocabulary_size=50,
    num_layers=2,
    num_heads=2,
    head_dim=6,
    hidden_dim=16,
    intermediate_dim=24,
    max_sequence_length=32,
    activation="relu",
    tie_embeddings=True,
    num_buckets=8,
    max_distance=20,
    dropout=0.2,
)
LLAMA3 = Llama3RotaryScaling(factor=8.0, low_factor=1.0, high_factor=4.0, original_length=16)

# Each family with configurations of its kind.
FAMILIES = {
    "gpt2": (Gpt2Family(), GPT2),
    "gpt2_untied": (Gpt2Family(), GPT2.model_copy(update={"tie_embeddings": False, "activation": "gelu", "pad_id": 3})),
    "llama": (LlamaFamily(), LLAMA),
    "llama_biases": (
        LlamaFamily(),
        LLAMA.model_copy(update={"use_bias": True, "tie_embeddings": True, "rotary_scaling": LLAMA3}),
    ),
    "mistral": (
        MistralFamily(),
        LLAMA.model_copy(
            update={"attention_window": 3, "head_dim": 6, "rotary_scaling": LinearRotaryScaling(factor=2.0)}
        ),
    ),
    "mistral_whole": (MistralFamily(), LLAMA.model_copy(update={"num_key_value_heads": None})),
    "qwen2": (Qwen2Family(), LLAMA.model_copy(update={"qkv_bias": True, "tie_embeddings": True})),
    "qwen2_window": (Qwen2Family(), LLAMA.model_copy(update={"qkv_bias": True, "attention_window": 3})),
    "t5": (T5Family(), T5_ORIGINAL),
    "t5_1.1": (
        T5Family(),
        T5_ORIGINAL.model_copy(update={"activation": "geglu", "tie_embeddings": False, "num_decoder_layers": 3}),
    ),
    "t5_silu": (T5Family(), T5_ORIGINAL.model_copy(update={"activation": "swiglu", "pad_id": 4})),
}
