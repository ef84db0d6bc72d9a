"""Beam search: the likeliest texts among many that are followed at once."""

from keras import KerasTensor, ops

from tfplm.feature_names import INDEX
from tfplm.generation.strategy import Carry, Decode, Strategy, repeated_rows, rows_of
from tfplm.generation.writer import Decoded

_NEVER = float("-inf")


class BeamSearch(Strategy):
    """Keeps the likeliest ``num_beams`` unfinished texts of each prompt, and apart from them the best finished ones.

    A finished text scores the sum of its log-probabilities over ``length ** length_penalty``, the end counted. A prompt
    is done once it has ``num_beams`` finished texts and the likeliest unfinished one, as it stands, scores no better
    than the worst of them. What `tfplm.generation.logits.restricted` does is done to the log-probabilities. All of it
    is as in Hugging Face's transformers with ``early_stopping=False``.

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7; Graves 2012 for the search.
    """

    def begin(self, decoded: Decoded, history: KerasTensor, ended: KerasTensor, controls: dict) -> Carry:
        batch_size, vocabulary_size = decoded.logits.shape
        beams = self.plan.num_beams
        rows = repeated_rows(batch_size, beams)
        memory = self._remember(ops.take(history, rows, axis=0), controls, vocabulary_size)
        first = ops.equal(ops.arange(beams, dtype="int32")[None], 0)  # the others would only repeat it
        carry = memory | {
            "logits": ops.take(decoded.logits, rows, axis=0),
            "sums": ops.where(ops.broadcast_to(first, (batch_size, beams)), 0.0, _NEVER),
            "ended": ended,
            "state": rows_of(decoded.state, rows),
            "finished_scores": ops.full((batch_size, beams), _NEVER, dtype="float32"),
        }
        return carry | {f"finished_{name}": carry[name] for name in self._told()}

    def _told(self) -> list[str]:
        """What is kept of a finished text."""
        return ["history", "log_probabilities"] if self.plan.gives_log_probabilities else ["history"]

    def step(self, decode: Decode, carry: Carry, controls: dict) -> Carry:
        beams, index = self.plan.num_beams, carry["state"][INDEX]
        length = ops.add(ops.subtract(index, controls["start"]), 1)  # of the texts with the token that comes now
        sums, parents, token_ids = self._candidates(carry, controls)  # (batch, 2 beams), the likeliest first
        batch_size = sums.shape[0]
        memory = {name: carry[name] for name in ("history", "seen", "log_probabilities") if name in carry}
        flat_parents = _flat_rows(parents, beams)
        flat_ids, logits = ops.reshape(token_ids, (-1,)), ops.take(carry["logits"], flat_parents, axis=0)
        candidates = self._written(rows_of(memory, flat_parents), index, flat_ids, logits)
        is_last = ops.greater_equal(length, controls["max_new_tokens"])
        ends = ops.logical_or(ops.equal(token_ids, controls["end_id"]), is_last)
        finished = self._finished(carry, candidates, sums, ends, length, controls)

        sums, chosen = ops.top_k(ops.where(ends, _NEVER, sums), beams)  # (batch, beams)
        chosen_rows = _flat_rows(chosen, 2 * beams)
        kept = rows_of(candidates, chosen_rows)
        state = rows_of(carry["state"], ops.take(flat_parents, chosen_rows, axis=0))
        decoded = decode(ops.take(flat_ids, chosen_rows, axis=0), state)
        reachable = ops.divide(sums[:, 0], _length_norm(length, controls))
        is_done = ops.greater_equal(finished["finished_scores"][:, beams - 1], reachable)
        ended = ops.reshape(ops.logical_or(carry["ended"], is_done), (batch_size,))
        return kept | finished | {"logits": decoded.logits, "sums": sums, "ended": ended, "state": decoded.state}

    def _candidates(self, carry: Carry, controls: dict) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
        """The likeliest continuations: sums, beams that they continue and tokens, each (batch, 2 beams)."""
        beams = self.plan.num_beams
        batch_size, vocabulary_size = carry["sums"].shape[0], carry["logits"].shape[1]
        log_probabilities = self._restricted(ops.log_softmax(carry["logits"]), carry, controls)
        sums = ops.reshape(log_probabilities, (batch_size, beams, vocabulary_size)) + carry["sums"][:, :, None]
        sums, places = ops.top_k(ops.reshape(sums, (batch_size, beams * vocabulary_size)), 2 * beams)
        places = ops.cast(places, "int32")
        return sums, ops.floor_divide(places, vocabulary_size), ops.mod(places, vocabulary_size)

    def _finished(
        self,
        carry: Carry,
        candidates: Carry,
        sums: KerasTensor,
        ends: KerasTensor,
        length: KerasTensor,
        controls: dict,
    ) -> Carry:
        """The best finished texts of before and of now; of the latter only those among the likeliest ``num_beams``."""
        beams = self.plan.num_beams
        is_likely = ops.less(ops.arange(2 * beams, dtype="int32"), beams)
        scores = ops.where(ops.logical_and(ends, is_likely), ops.divide(sums, _length_norm(length, controls)), _NEVER)
        scores = ops.where(carry["ended"][:, None], _NEVER, scores)  # what is done stays as it is
        scores = ops.concatenate([carry["finished_scores"], scores], axis=1)  # (batch, 3 beams)
        scores, places = ops.top_k(scores, beams)
        rows = _flat_rows(places, 3 * beams)
        finished = {"finished_scores": scores}
        for name in self._told():
            parts = [_by_prompt(carry[f"finished_{name}"], beams), _by_prompt(candidates[name], 2 * beams)]
            together = ops.concatenate(parts, axis=1)  # (batch, 3 beams, columns)
            together = ops.reshape(together, (-1, together.shape[-1]))
            finished[f"finished_{name}"] = ops.take(together, rows, axis=0)
        return finished

    def answers(self, carry: Carry) -> tuple[KerasTensor, KerasTensor | None]:
        texts = [carry.get(f"finished_{name}") for name in ("history", "log_probabilities")]
        best = [None if text is None else _by_prompt(text, self.plan.num_beams) for text in texts]
        samples = self.plan.num_samples
        return tuple(None if text is None else ops.reshape(text[:, :samples], (-1, text.shape[-1])) for text in best)


def _length_norm(length: KerasTensor, controls: dict) -> KerasTensor:
    return ops.power(ops.cast(length, "float32"), controls["length_penalty"])


def _flat_rows(rows: KerasTensor, rows_per_prompt: int) -> KerasTensor:
    """Numbers of rows within each prompt, (batch, count), as numbers among all rows, (batch · count,) int32."""
    offsets = ops.multiply(ops.arange(rows.shape[0], dtype="int32"), rows_per_prompt)
    # Not ops.add, which takes a column as a bias along another axis where the sizes agree (Keras 3.15, TensorFlow).
    return ops.reshape(ops.cast(rows, "int32") + offsets[:, None], (-1,))


def _by_prompt(rows: KerasTensor, rows_per_prompt: int) -> KerasTensor:
    """(batch · rows, columns) as (batch, rows, columns)."""
    return ops.reshape(rows, (-1, rows_per_prompt, rows.shape[-1]))
