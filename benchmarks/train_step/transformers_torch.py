"""BERT pretraining by Hugging Face transformers on PyTorch, eager or compiled.

``BertForMaskedLM`` scores the vocabulary at every position. Here, as in all other contenders, only the masked positions
pass through its head, so that the same work is compared.
"""

import itertools

import torch
from transformers import BertConfig, BertForMaskedLM

from benchmarks.contender import Measurable
from benchmarks.torch_training import adamw, train
from benchmarks.workload import BertWorkload


def build(workload: dict, precision: str, compiled: bool) -> Measurable:
    """A `BertForMaskedLM` with PyTorch's fused attention."""
    bert = BertWorkload(**workload)
    model = BertForMaskedLM(bert_config(bert)).train()

    def loss_of(token_ids: torch.Tensor, positions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        hidden = model.bert(token_ids, attention_mask=torch.ones_like(token_ids)).last_hidden_state
        masked = hidden.gather(1, positions.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
        return torch.nn.functional.cross_entropy(model.cls(masked).flatten(0, 1).float(), targets.flatten())

    loss_of = torch.compile(loss_of) if compiled else loss_of
    optimizer = adamw(model, bert)
    arrays = bert.batches()
    parts = (torch.from_numpy(arrays[name]).long() for name in ("token_ids", "mask_positions", "targets"))
    batches = itertools.cycle(list(zip(*parts, strict=True)))

    def run(steps: int) -> None:
        train(model, loss_of, itertools.islice(batches, steps), optimizer, precision, bert.clip_norm)

    return Measurable(run, bert.tokens_per_step, {"parameters": model.num_parameters()})


def bert_config(workload: BertWorkload, **settings) -> BertConfig:
    """The configuration of the workload's encoder."""
    return BertConfig(
        vocab_size=workload.vocabulary_size,
        num_hidden_layers=workload.num_layers,
        num_attention_heads=workload.num_heads,
        hidden_size=workload.hidden_dim,
        intermediate_size=workload.intermediate_dim,
        max_position_embeddings=workload.sequence_length,
        hidden_dropout_prob=workload.dropout,
        attention_probs_dropout_prob=workload.dropout,
        **settings,
    )
