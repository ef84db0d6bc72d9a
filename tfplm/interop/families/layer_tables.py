"""The tables of single layers."""

from typing import Literal

from tfplm.interop.weight_table import Weight


def dense(
    variable: str,
    *tensors: str,
    use_bias: bool = True,
    layout: Literal["same", "transposed"] = "transposed",
    sizes: tuple[int, ...] = (),
) -> list[Weight]:
    """A dense layer of ours, made of one or several layers side by side.

    Args:
        variable: the path of ours.
        *tensors: the names of theirs.
        use_bias: whether they have biases.
        layout: "transposed" of `torch.nn.Linear`.
        sizes: outputs of each of theirs; none: equal.
    """
    weights = [Weight(f"{variable}/kernel", tuple(f"{name}.weight" for name in tensors), layout, sizes)]
    if use_bias:
        weights.append(Weight(f"{variable}/bias", tuple(f"{name}.bias" for name in tensors), sizes=sizes))
    return weights


def norm(variable: str, tensor: str) -> list[Weight]:
    """A layer norm."""
    return [Weight(f"{variable}/gamma", (f"{tensor}.weight",)), Weight(f"{variable}/beta", (f"{tensor}.bias",))]
