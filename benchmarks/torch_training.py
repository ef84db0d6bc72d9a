"""PyTorch models trained by the usual loop, in full or automatically mixed precision."""

from collections.abc import Callable, Iterable

import torch

from benchmarks.workload import BertWorkload


def train(
    model: torch.nn.Module,
    loss_of: Callable[..., torch.Tensor],
    batches: Iterable[tuple],
    optimizer: torch.optim.Optimizer,
    precision: str,
    clip_norm: float,
) -> None:
    """One step a batch; ``loss_of`` gets the batch's parts and returns a scalar."""
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_of(*batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()


def adamw(model: torch.nn.Module, workload: BertWorkload) -> torch.optim.AdamW:
    """PyTorch's fused AdamW, its fastest, with the workload's settings."""
    return torch.optim.AdamW(
        model.parameters(), workload.learning_rate, weight_decay=workload.weight_decay, eps=1e-6, fused=True
    )
