"""The decoding loop inside a SavedModel: any number of prompts, of any length."""

from functools import partial

import tensorflow as tf
from keras import ops

from export.writer_prompts import Rows, aligned_right
from export.writer_steps import WriterSteps
from tfplm.feature_names import INDEX
from tfplm.generation.beam_search import BeamSearch
from tfplm.generation.plan import Plan, Vocabulary
from tfplm.generation.sampling import Sampling
from tfplm.generation.strategy import Strategy

NUM_BEAMS = 4
_ROWS = 8  # that are written at once, where there is more than one


def _plan(strategy: str, num_beams: int = 1, is_shaped: bool = False, is_filtered: bool = False) -> Plan:
    return Plan(
        strategy=strategy,
        num_samples=1,
        num_beams=num_beams,
        num_candidates=1,
        has_temperature=is_shaped,
        has_top_k=is_filtered,
        has_top_p=is_filtered,
        has_min_p=is_filtered,
        penalizes_repetition=True,
        no_repeat_ngram_size=0,
        has_minimum=True,
        gives_log_probabilities=True,
    )


GREEDY = Sampling(_plan("greedy"))
SAMPLING = Sampling(_plan("sample", is_shaped=True))
FILTERED_SAMPLING = Sampling(_plan("sample", is_shaped=True, is_filtered=True))  # with top-k, top-p and min-p
BEAM_SEARCH = BeamSearch(_plan("beam", num_beams=NUM_BEAMS))


class WriterLoop:
    """Writes behind prompts, a few rows at a time: what is computed has static shapes, what comes in has not.

    Args:
        steps: of the model.
        vocabulary: what may be written.
    """

    def __init__(self, steps: WriterSteps, vocabulary: Vocabulary):
        self._steps, self._vocabulary = steps, vocabulary
        self._writers = {}
        # Each is traced once for a number of rows (and a length) and stays a function, however many loops call it.
        self._read = tf.function(steps.read_prompts, autograph=False, experimental_attributes={"_noinline": True})
        self._decode = tf.function(steps.task.decode, autograph=False, experimental_attributes={"_noinline": True})

    def write(self, strategies: tuple[Strategy, ...], choice: tf.Tensor, rows: Rows, settings: dict) -> tuple:
        """Writes behind every row.

        Args:
            strategies: the ways to choose tokens that there are.
            choice: int32 scalar, which of them it is.
            rows: the prompts, as `export.writer_prompts.prompt_rows` gives them.
            settings: scalar tensors, by the names of `tfplm.generation.plan.build_controls`.

        Returns:
            int32 (batch, max_new_tokens), padding behind the end token, and their log-probabilities, float32.
        """
        if strategies not in self._writers:
            self._writers[strategies] = tf.function(partial(self._write, strategies), autograph=False)
        return self._writers[strategies](choice, rows, settings)

    def _write(self, strategies: tuple[Strategy, ...], choice: tf.Tensor, rows: Rows, settings: dict) -> tuple:
        controls = settings | {
            "end_id": tf.constant(self._vocabulary.end_id),
            "pad_id": tf.constant(self._vocabulary.pad_id),
            "banned": tf.constant(self._vocabulary.banned()),
        }
        write = partial(self._write_in_parts, strategies, choice, rows, controls)
        if BEAM_SEARCH in strategies:
            return write(1)
        return tf.cond(tf.shape(rows.lengths)[0] > 1, partial(write, _ROWS), partial(write, 1))

    def _write_in_parts(
        self, strategies: tuple[Strategy, ...], choice: tf.Tensor, rows: Rows, controls: dict, size: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        count, columns = tf.shape(rows.lengths)[0], rows.token_ids.shape[1]
        missing = -count % size  # rows of no token, which end at once
        token_ids = tf.pad(rows.token_ids, [[0, missing], [0, 0]], constant_values=self._vocabulary.pad_id)
        token_ids = tf.reshape(token_ids, [-1, size, columns])
        lengths = tf.reshape(tf.pad(rows.lengths, [[0, missing]]), [-1, size])

        def write(part):
            filled = Rows(token_ids=part[0], lengths=part[1], was_cut=tf.zeros([size], tf.bool))
            decoded = self._read_part(filled)
            options = [partial(self._write_part, strategy, filled, decoded, controls) for strategy in strategies]
            return tf.switch_case(choice, options) if len(options) > 1 else options[0]()

        specifications = (tf.TensorSpec([size, None], tf.int32), tf.TensorSpec([size, None], tf.float32))
        written = tf.map_fn(
            write, (token_ids, lengths), fn_output_signature=specifications, parallel_iterations=1
        )  # (parts, size, max_new_tokens) each
        shape = [-1, controls["max_new_tokens"]]
        return tuple(tf.reshape(values, shape)[:count] for values in written)

    def _read_part(self, rows: Rows):
        """What the model makes of the prompts, read in the shortest of the lengths that holds them."""
        longest = tf.reduce_max(rows.lengths)

        def read(length: int):
            if self._steps.task.is_encoder_decoder:
                return self._read(rows.token_ids[:, :length])
            return self._read(aligned_right(rows, length, length, self._vocabulary.pad_id))

        number = tf.reduce_sum(tf.cast(longest > tf.constant(self._steps.lengths), tf.int32))
        decoded = tf.switch_case(number, [partial(read, length) for length in self._steps.lengths])
        if self._steps.task.is_encoder_decoder:
            return decoded
        return decoded._replace(state=decoded.state | {INDEX: longest})  # an LSTM has counted the padding too

    def _write_part(self, strategy: Strategy, rows: Rows, decoded, controls: dict) -> tuple[tf.Tensor, tf.Tensor]:
        start = decoded.state[INDEX]
        controls = controls | {"start": start}
        if self._steps.task.is_encoder_decoder:
            history = tf.zeros([rows.lengths.shape[0], self._steps.cache_length], tf.int32)
        else:
            history = aligned_right(rows, start, self._steps.cache_length, self._vocabulary.pad_id)
        carry = strategy.begin(decoded, history, tf.equal(rows.lengths, 0), controls)
        last = start + controls["max_new_tokens"]
        carry = ops.while_loop(
            lambda carry: (carry["state"][INDEX] < last) & ~tf.reduce_all(carry["ended"]),
            lambda carry: strategy.step(self._decode, carry, controls),
            carry,
        )
        new = slice(start, last)
        history, log_probabilities = strategy.answers(carry)
        return history[:, new], log_probabilities[:, new]


def choose_strategy(settings: dict, vocabulary_size: int) -> tf.Tensor:
    """Which of `GREEDY`, `SAMPLING` and `FILTERED_SAMPLING` the settings ask for: 0, 1 or 2, an int32 scalar."""
    filters = (settings["top_k"] < vocabulary_size) | (settings["top_p"] < 1.0) | (settings["min_p"] > 0.0)
    return tf.where(settings["temperature"] > 0.0, tf.where(filters, 2, 1), 0)
