"""A large matrix product by PyTorch."""

import torch

from benchmarks.contender import Measurable


def build(size: int, precision: str, operations_per_unit: float) -> Measurable:
    """Products of two square matrices."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))

    def run(repetitions: int) -> None:
        with torch.inference_mode():
            for _ in range(repetitions):
                torch.matmul(left, right)

    return Measurable(run, 2 * size**3 / operations_per_unit)
