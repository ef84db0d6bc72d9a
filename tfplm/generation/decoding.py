"""The compiled decoding loop: prompts of token ids in, token ids out."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from keras import ops

from tfplm import feature_names as names
from tfplm.feature_names import INDEX
from tfplm.generation.beam_search import BeamSearch
from tfplm.generation.buckets import length_bucket, padded
from tfplm.generation.compilation import compiled
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.contrastive_search import ContrastiveSearch
from tfplm.generation.plan import Plan, Vocabulary, build_controls
from tfplm.generation.sampling import Sampling
from tfplm.generation.strategy import Carry, Strategy
from tfplm.generation.writer import Writer

_TOKENS_PER_CALL = 64  # of the compiled loop, which hears no Ctrl-C
_STRATEGIES: dict[str, type[Strategy]] = {
    "greedy": Sampling,
    "sample": Sampling,
    "beam": BeamSearch,
    "contrastive": ContrastiveSearch,
}


class Written(NamedTuple):
    """One text as tokens."""

    token_ids: np.ndarray  # (n,) int32; the end is among them
    log_probabilities: np.ndarray | None  # (n,) float32, as the model gives them, before any setting changes them
    has_ended: bool  # by the end token


class DecodingLoop:
    """Writes behind prompts with a model, one compiled loop for every shape that `tfplm.generation.buckets` leaves.

    What is compiled depends on the number of rows and columns after rounding, and on which settings are on. Their
    values, the seed and the number of tokens are arguments.

    Args:
        writer: a task that writes.
        jit_compile: of `tfplm.generation.compilation.compiled`.
    """

    def __init__(self, writer: Writer, jit_compile: bool | str = "auto"):
        self.writer = writer
        self._jit_compile = jit_compile
        self._compiled = {}

    def start(
        self, prompts: Sequence[Sequence[int]], settings: GenerationConfig, vocabulary: Vocabulary
    ) -> "Continuation":
        """Reads prompts, at least one, each of one token or more, and returns what `Continuation.advance` writes on."""
        is_decoder = not self.writer.is_encoder_decoder
        longest, most = max(map(len, prompts)), self.writer.encoder.config.max_sequence_length
        columns = length_bucket(longest, most if longest <= most else None)
        token_ids = padded(prompts, columns, is_decoder, vocabulary.pad_id)
        start = token_ids.shape[1] if is_decoder else 1
        plan = Plan.of(settings)
        controls = build_controls(settings, vocabulary, start)
        begin = self._function(self._begin, plan, start + length_bucket(settings.max_new_tokens))
        ended = np.arange(len(token_ids)) >= len(prompts)  # the rows that only fill up
        return Continuation(self, plan, begin(token_ids, ended, controls), controls, len(prompts))

    def write(
        self, prompts: Sequence[Sequence[int]], settings: GenerationConfig, vocabulary: Vocabulary
    ) -> list[list[Written]]:
        """Writes to the end: by prompt, and by sample of each prompt."""
        continuation = self.start(prompts, settings, vocabulary)
        continuation.advance(settings.max_new_tokens)
        return continuation.written()

    def advance(self, plan: Plan, carry: Carry, until: int, controls: dict) -> Carry:
        """Goes on until so many tokens are written, or all rows have ended."""
        return self._function(self._advance, plan)(carry, np.asarray(until, np.int32), controls)

    def _function(self, function, *static):
        key = (function.__name__, *static)
        if key not in self._compiled:
            self._compiled[key] = compiled(partial(function, *static), self.writer.variables, self._jit_compile)
        return self._compiled[key]

    def _begin(self, plan: Plan, cache_length: int, token_ids, ended, controls: dict) -> Carry:
        decoded = self.writer.prefill({names.TOKEN_IDS: token_ids}, cache_length)
        rows, columns = token_ids.shape
        if self.writer.is_encoder_decoder:
            history = ops.zeros((rows, cache_length), dtype="int32")
        else:
            history = ops.pad(token_ids, [[0, 0], [0, cache_length - columns]])
        return _STRATEGIES[plan.strategy](plan).begin(decoded, history, ended, controls)

    def _advance(self, plan: Plan, carry: Carry, until, controls: dict) -> Carry:
        strategy, decode = _STRATEGIES[plan.strategy](plan), self.writer.decoder()
        last = ops.add(controls["start"], ops.minimum(until, controls["max_new_tokens"]))

        def goes_on(carry: Carry):
            return ops.logical_and(ops.less(carry["state"][INDEX], last), ops.logical_not(ops.all(carry["ended"])))

        def step(carry: Carry) -> Carry:
            return strategy.step(decode, carry, controls)

        return ops.while_loop(goes_on, step, carry)


class Continuation:
    """Texts that are being written."""

    def __init__(self, loop: DecodingLoop, plan: Plan, carry: Carry, controls: dict, num_prompts: int):
        self._loop, self._plan, self._carry, self._controls = loop, plan, carry, controls
        self._num_prompts = num_prompts
        self.num_tokens = 0  # steps so far

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be written."""
        return self.num_tokens >= self._controls["max_new_tokens"] or bool(np.all(self._ended()))

    def advance(self, num_tokens: int) -> None:
        """Writes so many tokens more, fewer where all texts end."""
        wanted = min(self.num_tokens + num_tokens, int(self._controls["max_new_tokens"]))
        while self.num_tokens < wanted and not self.is_done:
            self.num_tokens = min(wanted, self.num_tokens + _TOKENS_PER_CALL)
            self._carry = self._loop.advance(self._plan, self._carry, self.num_tokens, self._controls)

    def stop(self, prompt: int, sample: int) -> None:
        """Ends one text here; of strategies whose texts go on each by itself."""
        ended = self._ended().copy()
        ended[prompt * self._plan.num_samples + sample] = True
        self._carry = self._carry | {"ended": ended}

    def _ended(self) -> np.ndarray:
        return ops.convert_to_numpy(self._carry["ended"])

    def written(self) -> list[list[Written]]:
        """By prompt, and by sample of each prompt, what is written so far."""
        history, log_probabilities = _STRATEGIES[self._plan.strategy](self._plan).answers(self._carry)
        new = slice(int(self._controls["start"]), int(self._controls["start"]) + self.num_tokens)
        rows = ops.convert_to_numpy(history)[:, new]
        told = [None] * len(rows) if log_probabilities is None else ops.convert_to_numpy(log_probabilities)[:, new]
        end_id, pad_id = (int(self._controls[name]) for name in ("end_id", "pad_id"))
        texts = [_until_end(ids, values, end_id, pad_id) for ids, values in zip(rows, told, strict=True)]
        samples = self._plan.num_samples
        return [texts[prompt * samples : (prompt + 1) * samples] for prompt in range(self._num_prompts)]


def _until_end(token_ids: np.ndarray, log_probabilities: np.ndarray | None, end_id: int, pad_id: int) -> Written:
    """A row up to its end token, or to the padding behind a text that was stopped."""
    ends = np.flatnonzero(token_ids == end_id)
    pads = np.flatnonzero(token_ids == pad_id)
    length = ends[0] + 1 if len(ends) else pads[0] if len(pads) else len(token_ids)
    told = None if log_probabilities is None else log_probabilities[:length]
    return Written(token_ids[:length], told, bool(len(ends)))
