"""Writers so small that every number they give can be worked out again in NumPy."""

from types import SimpleNamespace

import numpy as np
from keras import ops

from tfplm.feature_names import INDEX, TOKEN_IDS
from tfplm.generation.plan import Vocabulary
from tfplm.generation.writer import Decoded, Writer

END = 1


class MarkovWriter(Writer):
    """Scores the next token by the last two, which it looks up in its cache.

    Attributes:
        num_traces: how often `prefill` and `decode` were traced.
    """

    is_encoder_decoder = False
    variables = ()

    def __init__(self, vocabulary_size: int, seed: int = 0, spread: float = 1.0, max_sequence_length: int = 512):
        random = np.random.default_rng(seed)
        size = vocabulary_size
        self.last, self.last_but_one = random.normal(0.0, spread, (2, size, size)).astype("float32")
        self.vectors = random.normal(size=(2, size, 3)).astype("float32")
        self.encoder = SimpleNamespace(
            config=SimpleNamespace(type="markov", vocabulary_size=size, max_sequence_length=max_sequence_length)
        )
        self.vocabulary = Vocabulary(size, END)
        self.num_traces = {"prefill": 0, "decode": 0}

    def prefill(self, inputs, cache_length):
        self.num_traces["prefill"] += 1
        token_ids = inputs[TOKEN_IDS]
        columns = token_ids.shape[1]
        cache = ops.pad(token_ids, [[0, 0], [0, cache_length - columns]])
        return self._decoded(cache, ops.convert_to_tensor(columns, "int32"))

    def decode(self, token_ids, state):
        self.num_traces["decode"] += 1
        cache = ops.slice_update(state["tokens"], (0, state[INDEX]), token_ids[:, None])
        return self._decoded(cache, state[INDEX] + 1)

    def _decoded(self, cache, index):
        rows = cache.shape[0]
        last, before = (ops.slice(cache, (0, index - back), (rows, 1))[:, 0] for back in (1, 2))
        logits = ops.take(self.last, last, axis=0) + ops.take(self.last_but_one, before, axis=0)
        hidden = ops.take(self.vectors[0], last, axis=0) + ops.take(self.vectors[1], before, axis=0)
        return Decoded(logits, hidden, {INDEX: index, "tokens": cache})

    def next_logits(self, sequence: list[int]) -> np.ndarray:
        """Of the token behind a sequence: float64 (vocabulary,)."""
        last, before = sequence[-1], sequence[-2] if len(sequence) > 1 else 0
        return (self.last[last] + self.last_but_one[before]).astype("float64")

    def next_vector(self, sequence: list[int]) -> np.ndarray:
        """The hidden state behind a sequence, of length 1."""
        last, before = sequence[-1], sequence[-2] if len(sequence) > 1 else 0
        vector = self.vectors[0][last] + self.vectors[1][before]
        return vector / np.linalg.norm(vector)


class ScriptWriter(Writer):
    """Writes the same tokens behind every prompt, whatever the prompt is.

    Args:
        script: token ids.
        vocabulary_size: number of ids.
        max_sequence_length: of the model.
        is_encoder_decoder: which kind of model it plays.
    """

    variables = ()

    def __init__(self, script, vocabulary_size=260, max_sequence_length=256, is_encoder_decoder=False):
        self.is_encoder_decoder = is_encoder_decoder
        self._script = np.pad(np.asarray(script, "int32"), (0, 300))  # behind it padding, which is never written
        self._size = vocabulary_size
        self.encoder = SimpleNamespace(
            config=SimpleNamespace(
                type="script", vocabulary_size=vocabulary_size, max_sequence_length=max_sequence_length
            )
        )

    def prefill(self, inputs, cache_length):
        rows, columns = inputs[TOKEN_IDS].shape
        index = ops.convert_to_tensor(1 if self.is_encoder_decoder else columns, "int32")
        return self._decoded(index, ops.zeros((rows,), "int32"))

    def decode(self, token_ids, state):
        return self._decoded(state[INDEX] + 1, state["step"] + 1)

    def _decoded(self, index, steps):
        logits = 20.0 * ops.one_hot(ops.take(self._script, steps), self._size)
        return Decoded(logits, logits[:, :4], {INDEX: index, "step": steps})


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return np.log(softmax(logits))


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
