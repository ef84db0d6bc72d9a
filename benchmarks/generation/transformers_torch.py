"""Greedy writing by Hugging Face transformers on PyTorch, eager or with the compiled forward pass."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.contender import Measurable
from benchmarks.workload import GenerationWorkload


def build(workload: dict, compiled: bool) -> Measurable:
    """`GPT2LMHeadModel.generate`, from token ids to token ids; compiled needs a cache of one size."""
    gpt = GenerationWorkload(**workload)
    model = GPT2LMHeadModel(_config(gpt)).eval()
    if compiled:
        model.forward = torch.compile(model.forward)
    prompts = torch.from_numpy(gpt.prompts()).long()
    settings = {"cache_implementation": "static"} if compiled else {}
    settings |= {"max_new_tokens": gpt.new_tokens, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}

    @torch.inference_mode()
    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            written = model.generate(prompts, attention_mask=torch.ones_like(prompts), **settings)
            assert written.shape == (gpt.batch_size, gpt.sequence_length)

    return Measurable(run, gpt.written_tokens, {"parameters": model.num_parameters()})


def _config(workload: GenerationWorkload) -> GPT2Config:
    return GPT2Config(
        vocab_size=workload.vocabulary_size,
        n_layer=workload.num_layers,
        n_head=workload.num_heads,
        n_embd=workload.hidden_dim,
        n_inner=workload.intermediate_dim,
        n_positions=workload.sequence_length,
        eos_token_id=None,
        bos_token_id=None,
    )
