"""Greedy search and sampling: every row goes its own way."""

from keras import KerasTensor, ops

from tfplm.feature_names import INDEX
from tfplm.generation.logits import shaped
from tfplm.generation.strategy import Carry, Decode, Strategy, repeated_rows, rows_of
from tfplm.generation.writer import Decoded
from tfplm.layers.hashing import hashed, weyl_sequence, word


class Sampling(Strategy):
    """The likeliest token, or one drawn from the distribution that the settings shape.

    A token is drawn as the largest sum of logit and Gumbel noise, which is a hash of seed, number of the sample, step
    and token: a prompt's text depends neither on what stands beside it in the batch nor on the device.

    Source: Gumbel 1954; Maddison et al. 2014, "A* Sampling", section 2.
    """

    def begin(self, decoded: Decoded, history: KerasTensor, ended: KerasTensor, controls: dict) -> Carry:
        batch_size, vocabulary_size = decoded.logits.shape
        rows = repeated_rows(batch_size, self.plan.num_samples)
        memory = self._remember(ops.take(history, rows, axis=0), controls, vocabulary_size)
        return memory | {
            "logits": ops.take(decoded.logits, rows, axis=0),
            "ended": ops.take(ended, rows, axis=0),
            "state": rows_of(decoded.state, rows),
        }

    def step(self, decode: Decode, carry: Carry, controls: dict) -> Carry:
        index, logits = carry["state"][INDEX], carry["logits"]
        weights = self._restricted(logits, carry, controls)
        if self.plan.strategy == "sample":
            weights = shaped(self.plan, weights, controls)
            weights = ops.add(weights, self._noise(weights.shape, ops.subtract(index, controls["start"]), controls))
        token_ids = ops.cast(ops.argmax(weights, axis=-1), "int32")
        nothing_is_left = ops.equal(ops.max(weights, axis=-1), float("-inf"))
        token_ids = ops.where(nothing_is_left, controls["end_id"], token_ids)
        token_ids = ops.where(carry["ended"], controls["pad_id"], token_ids)
        written = self._written(carry, index, token_ids, logits, carry["ended"])
        decoded = decode(token_ids, carry["state"])
        ended = ops.logical_or(carry["ended"], ops.equal(token_ids, controls["end_id"]))
        return written | {"logits": decoded.logits, "ended": ended, "state": decoded.state}

    def answers(self, carry: Carry) -> tuple[KerasTensor, KerasTensor | None]:
        return carry["history"], carry.get("log_probabilities")

    def _noise(self, shape: tuple[int, int], step: KerasTensor, controls: dict) -> KerasTensor:
        """Gumbel noise (rows, vocabulary); prompts of one batch get the same."""
        rows, vocabulary_size = shape
        numbers = ops.cast(ops.mod(ops.arange(rows, dtype="int32"), self.plan.num_samples), "uint32")
        keys = hashed(ops.bitwise_xor(hashed(controls["seed"]), numbers))
        keys = hashed(ops.bitwise_xor(keys, ops.cast(step, "uint32")))  # (rows,)
        return gumbel_noise(keys, vocabulary_size)


def gumbel_noise(keys: KerasTensor, size: int) -> KerasTensor:
    """Noise of the standard Gumbel distribution, a function of keys (rows,) uint32: float32 (rows, size)."""
    bits = hashed(ops.add(keys[:, None], weyl_sequence(size)))
    # 23 bits and a half: neither 0 nor, rounded to float32, 1
    uniform = ops.multiply(ops.add(ops.cast(ops.right_shift(bits, word(9)), "float32"), 0.5), 2.0**-23)
    return ops.negative(ops.log(ops.negative(ops.log(uniform))))
