"""Greedy writing by KerasHub: GPT2CausalLM.generate, compiled."""

import keras_hub
import numpy as np

from benchmarks.contender import Measurable
from benchmarks.workload import GenerationWorkload


def build(workload: dict, jit: bool) -> Measurable:
    """A `GPT2CausalLM` without its preprocessor, from token ids to token ids."""
    gpt = GenerationWorkload(**workload)
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=gpt.vocabulary_size,
        num_layers=gpt.num_layers,
        num_heads=gpt.num_heads,
        hidden_dim=gpt.hidden_dim,
        intermediate_dim=gpt.intermediate_dim,
        max_sequence_length=gpt.sequence_length,
    )
    model = keras_hub.models.GPT2CausalLM(backbone, preprocessor=None)
    model.compile(sampler="greedy", jit_compile=jit)
    room = ((0, 0), (0, gpt.new_tokens))
    prompts = gpt.prompts()
    inputs = {"token_ids": np.pad(prompts, room), "padding_mask": np.pad(np.ones_like(prompts), room)}

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            written = model.generate(inputs, stop_token_ids=None)
            assert np.all(written["padding_mask"])

    return Measurable(run, gpt.written_tokens, {"parameters": backbone.count_params()})
