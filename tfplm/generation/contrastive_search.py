"""Contrastive search: likely tokens that do not say again what was said."""

from keras import KerasTensor, ops

from tfplm.feature_names import INDEX
from tfplm.generation.strategy import Carry, Decode, Strategy, repeated_rows, rows_of
from tfplm.generation.writer import Decoded


class ContrastiveSearch(Strategy):
    """Lets the model read each of the likeliest tokens, and takes the one with the best score.

    The score is (1 - α) · probability - α · the largest cosine between the candidate's hidden state and those of the
    tokens before. Of the prompt that is its last token; from there on it is every token.

    Source: Su et al. 2022, "A Contrastive Framework for Neural Text Generation", section 4.2.
    """

    def begin(self, decoded: Decoded, history: KerasTensor, ended: KerasTensor, controls: dict) -> Carry:
        batch_size, vocabulary_size = decoded.logits.shape
        columns = history.shape[1]
        hidden = _normalized(decoded.hidden)
        vectors = ops.zeros((batch_size, columns + 1, hidden.shape[-1]), dtype="float32")
        last = ops.subtract(controls["start"], 1)
        return self._remember(history, controls, vocabulary_size) | {
            "logits": decoded.logits,
            "ended": ended,
            "vectors": ops.slice_update(vectors, (0, last, 0), hidden[:, None]),
            "state": rows_of(decoded.state, repeated_rows(batch_size, self.plan.num_candidates)),
        }

    def step(self, decode: Decode, carry: Carry, controls: dict) -> Carry:
        index, count = carry["state"][INDEX], self.plan.num_candidates
        batch_size = carry["logits"].shape[0]
        probabilities = ops.softmax(self._restricted(carry["logits"], carry, controls))
        probabilities, candidates = ops.top_k(probabilities, count)  # (batch, candidates)
        decoded = decode(ops.cast(ops.reshape(candidates, (-1,)), "int32"), carry["state"])
        vectors = ops.reshape(_normalized(decoded.hidden), (batch_size, count, -1))
        likeness = self._likeness(vectors, carry["vectors"], index, controls)
        alpha = controls["likeness_penalty"]
        scores = ops.subtract(ops.multiply(1.0 - alpha, probabilities), ops.multiply(alpha, likeness))
        scores = ops.where(ops.greater(probabilities, 0.0), scores, float("-inf"))
        best = ops.cast(ops.argmax(scores, axis=-1), "int32")  # (batch,)

        token_ids = ops.cast(ops.take_along_axis(candidates, best[:, None], axis=1)[:, 0], "int32")
        token_ids = ops.where(carry["ended"], controls["pad_id"], token_ids)
        rows = ops.add(best, ops.multiply(ops.arange(batch_size, dtype="int32"), count))
        written = self._written(carry, index, token_ids, carry["logits"], carry["ended"])
        vector = ops.take(ops.reshape(vectors, (batch_size * count, -1)), rows, axis=0)
        return written | {
            "logits": ops.take(decoded.logits, rows, axis=0),
            "ended": ops.logical_or(carry["ended"], ops.equal(token_ids, controls["end_id"])),
            "vectors": ops.slice_update(carry["vectors"], (0, index, 0), vector[:, None]),
            "state": rows_of(decoded.state, ops.repeat(rows, count)),
        }

    @staticmethod
    def _likeness(vectors: KerasTensor, before: KerasTensor, index: KerasTensor, controls: dict) -> KerasTensor:
        """The largest cosine of vectors (batch, candidates, dim) with those before: (batch, candidates)."""
        cosines = ops.matmul(vectors, ops.transpose(before, (0, 2, 1)))  # (batch, candidates, columns)
        columns = ops.arange(before.shape[1], dtype="int32")
        is_before = ops.logical_and(
            ops.greater_equal(columns, ops.subtract(controls["start"], 1)), ops.less(columns, index)
        )
        return ops.max(ops.where(is_before, cosines, -1.0), axis=-1)

    def answers(self, carry: Carry) -> tuple[KerasTensor, KerasTensor | None]:
        return carry["history"], carry.get("log_probabilities")


def _normalized(hidden: KerasTensor) -> KerasTensor:
    """Vectors (rows, dim) of length 1, in float32."""
    hidden = ops.cast(hidden, "float32")
    return ops.divide(hidden, ops.maximum(ops.norm(hidden, axis=-1, keepdims=True), 1e-8))
