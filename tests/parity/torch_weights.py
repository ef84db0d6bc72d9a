"""From the weights of a PyTorch model to those of layers."""

import numpy as np
import torch


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """The model, ready for use, with something random added to every weight, norms and biases included."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def arrays(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Every weight by its name."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def assign(layer, weights: dict[str, np.ndarray], *names: str, is_transposed: bool = True) -> None:
    """Sets a norm, or a dense layer from several ones side by side, with the biases that there are.

    Args:
        layer: the Keras layer.
        weights: of `arrays`.
        *names: of the PyTorch layers.
        is_transposed: whether the dense kernels are (outputs, inputs), as those of `torch.nn.Linear` are.
    """
    kernels = [weights[f"{name}.weight"] for name in names]
    kernels = [kernel.T if is_transposed and kernel.ndim == 2 else kernel for kernel in kernels]
    biases = [weights[f"{name}.bias"] for name in names if f"{name}.bias" in weights]
    layer.set_weights([np.concatenate(part, axis=-1) for part in (kernels, biases) if part])
