"""Bytes that a forward pass keeps for its backward pass."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """Bytes that forward keeps for backward, a token and layer.

    Args:
        item: of a number in the compute dtype: what rematerialization keeps of every element of the width.
        part: for every element of the width and part of a block: inputs of the products, the norm and the residual sum.
        head: for every element of queries, keys, values and context.
        scores: for every attention score: the softmax in float32, and its copy in the compute dtype.
        inner: for every element of the feed-forward's inner width, by activation.
        part_dropout: more of ``part`` with dropout; half of what dropout before an LSTM layer keeps.
        scores_dropout: more of ``scores`` with dropout on them.
        inner_dropout: more of ``inner`` with dropout there.
        in_work: for every element of the inner width of one block, while its gradient is computed.
        logits: for every logit of the vocabulary loss that is held.
        logits_bias: more of ``logits`` with an output bias.
        state: for every element of an LSTM's state, in each step.
        state_in_work: more of ``state`` in one layer, while its gradient is computed.
    """

    item: float
    part: float
    head: float
    scores: float
    inner: dict[str, float]
    part_dropout: float
    scores_dropout: float
    inner_dropout: float
    in_work: float
    logits: float
    logits_bias: float
    state: float
    state_in_work: float


def _inner(gelu: float, gelu_tanh: float, relu: float, swiglu: float, geglu: float) -> dict[str, float]:
    return {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu, "swiglu": swiglu, "geglu": geglu}


# By (whether XLA compiles the step, whether it computes in 16 bits). Counted from what each way of running keeps and
# checked against TensorFlow's allocator and XLA's buffer assignment, on a CPU. XLA widens 16 bits to 32 there, so for
# an accelerator the last line is an upper bound.
KEPT = {
    (False, False): Kept(4, 12, 4, 6, _inner(12, 19, 4, 16, 27), 4, 6, 4, 8, 18, 0, 18, 36),
    (False, True): Kept(2, 7, 2, 6, _inner(7, 9, 2, 7, 13), 2, 3, 2, 4, 18, 0, 5.5, 12),
    (True, False): Kept(4, 8, 4, 4, _inner(12, 12, 8, 20, 20), 0, 4, 0, 0, 4, 4, 52, 26),
    (True, True): Kept(2, 8, 4, 8, _inner(10, 12, 6, 13, 14), 2, 2, 3, 0, 6, 2, 43, 20),
}
