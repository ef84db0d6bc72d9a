"""The families of decoders, and which of them a decoder of ours leaves as."""

from tfplm.interop.families.gpt2 import Gpt2Family
from tfplm.interop.families.llama import LlamaFamily, MistralFamily, Qwen2Family
from tfplm.interop.family import Family
from tfplm.models.configuration import GptConfig

_GPT2, _LLAMA, _MISTRAL, _QWEN2 = DECODERS = (Gpt2Family(), LlamaFamily(), MistralFamily(), Qwen2Family())


def families_of_decoder(config: GptConfig) -> tuple[Family, ...]:
    """All of them, first the one whose `write_config` has a form for the model, or says best why there is none."""
    best = _closest(config)
    return (best, *(family for family in DECODERS if family is not best))


def _closest(config: GptConfig) -> Family:
    if config.position_embedding == "learned":
        return _GPT2
    if config.qkv_bias and not config.use_bias:
        return _QWEN2
    if config.attention_window is not None or config.hidden_dim % config.num_heads:  # Llama's heads divide the width
        return _MISTRAL
    return _LLAMA
