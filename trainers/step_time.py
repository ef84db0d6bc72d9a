"""How long a training step takes, from a short calibration of this machine."""

from dataclasses import replace

from trainers import costs
from trainers.ceiling import elementwise_seconds_per_byte, product_seconds
from trainers.costs import MatrixProduct, Precision, Workload
from trainers.machine import Placement

_SECONDS = 0.06  # for the measurement of a product
_MOST_FLOPS = {"CPU": 1e10, "GPU": 2e12, "TPU": 2e12}  # of a product; larger ones are measured in part
_WORTH_COMPILING = 1e8  # operations of a product: below, the call of a compiled function is what would be measured

# Elementwise work of forward and backward pass, as so many passes over all the activations that are kept: fitted to
# measured steps of BERT on a CPU, see docs/doctor.md.
_PASSES_OVER_ACTIVATIONS = 4.0


def seconds_per_step(
    workload: Workload, precision: Precision, is_compiled: bool, placement: Placement, device: str
) -> float:
    """Estimates the time of a step from its matrix products at their own shapes and passes over its activations.

    Args:
        workload: the step.
        precision: as in RuntimeConfig.
        is_compiled: whether XLA compiles forward and backward pass.
        placement: of the batch.
        device: "CPU", "GPU" or "TPU".
    """
    rows = max(1, workload.batch_size // (placement.num_replicas * workload.accumulation_steps))
    micro = replace(workload, batch_size=rows, accumulation_steps=1)
    again = {product.name for product in costs.recomputed_products(micro)}
    products = sum(
        _product_seconds(product, product.name in again, precision, is_compiled, device)
        for product in costs.forward_products(micro)
    )
    activations = costs.memory_per_device(micro, precision, is_compiled).activations
    elementwise = _PASSES_OVER_ACTIVATIONS * activations * elementwise_seconds_per_byte(precision)
    in_turn = workload.accumulation_steps * (placement.devices if placement.share_cpu else 1)
    return (products + elementwise) * in_turn


def _product_seconds(
    product: MatrixProduct, is_recomputed: bool, precision: Precision, is_compiled: bool, device: str
) -> float:
    """Of a product and its two gradients; large ones are measured with fewer rows, many with fewer at once."""
    once, most = product.flops / product.count, _MOST_FLOPS[device]
    count = min(product.count, max(1, int(most / once))) if product.is_batched else 1
    rows = product.rows if product.is_batched else max(1, min(product.rows, int(product.rows * most / once)))
    settings = {
        "precision": precision,
        "seconds": _SECONDS,
        "count": count,
        "jit_compile": is_compiled and once * count >= _WORTH_COMPILING,
    }
    forward = product_seconds(rows, product.inner, product.columns, **settings)
    of_input = product_seconds(rows, product.columns, product.inner, transpose_b=True, **settings)
    of_weights = product_seconds(product.inner, rows, product.columns, transpose_a=True, **settings)
    parts = product.count / count * product.rows / rows
    return parts * (forward * (2 if is_recomputed else 1) + of_input + of_weights)
