"""What a model that writes answers as a SavedModel: strings in, strings out."""

import inspect
from collections.abc import Callable

import tensorflow as tf

from export.prompt_frame import PromptFrame
from export.writer_loop import BEAM_SEARCH, FILTERED_SAMPLING, GREEDY, SAMPLING, WriterLoop, choose_strategy
from export.writer_parity import vocabulary_of
from export.writer_prompts import closed_rows, open_rows, prompt_rows
from export.writer_steps import WriterSteps
from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.tokenizers.tokenizer import Tokenizer

PROMPT = "prompt"
SOURCE, TARGET = "source", "target"
LOG_PROBABILITY, LOG_PROBABILITIES = "log_probability", "log_probabilities"
PERPLEXITY = "perplexity"
_MOST_BY_DEFAULT = 128  # new tokens

# Settings and their defaults: those of `tfplm.generation.configuration.GenerationConfig`, but greedy search is
# temperature 0, and top_k 0 is no limit.
_SETTINGS = {
    "min_new_tokens": 0,
    "temperature": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "seed": 0,
}
_BEAM_SETTINGS = {"min_new_tokens": 0, "length_penalty": 1.0, "repetition_penalty": 1.0}


def default_settings(steps: WriterSteps) -> dict[str, int | float]:
    """The settings of the signature ``generate`` and their defaults."""
    return {"max_new_tokens": min(_MOST_BY_DEFAULT, steps.most_tokens // 2), **_SETTINGS}


class WriterEndpoints:
    """The signatures of a writer for a server.

    Args:
        steps: of the model.
        tokenizer: its tokenizer.
        frame: what stands around every prompt.
    """

    def __init__(self, steps: WriterSteps, tokenizer: Tokenizer, frame: PromptFrame):
        self._steps, self._tokenizer, self._frame = steps, tokenizer, frame
        self._vocabulary = vocabulary_of(steps, tokenizer)
        self._loop = WriterLoop(steps, self._vocabulary)
        self._most_new = steps.most_tokens - (not steps.task.is_encoder_decoder)

    def signatures(self) -> dict[str, Callable]:
        """By name, over any batch size.

        Returns:
            ``generate``: PROMPT (batch,) and settings, scalars → TEXT (batch,), what is written; TOKEN_IDS (batch,
            max_new_tokens), padding behind the end token; ``was_cut`` (batch,), whether it ended by max_new_tokens;
            ``prompt_was_cut`` (batch,); LOG_PROBABILITY (batch,), of all tokens together, as the model gives it.
            ``serving_default``: PROMPT alone, greedy search. ``generate_beam``: the likeliest of four beams.
            ``generate_ids``: TOKEN_IDS (batch, tokens), padding behind them, in place of PROMPT. ``score``: TEXT
            (batch,), of an encoder-decoder SOURCE and TARGET (batch,) → TOKEN_IDS and LOG_PROBABILITIES (batch, tokens)
            and PERPLEXITY (batch,). ``tokenize`` and ``detokenize``: TEXT (batch,) → TOKEN_IDS (batch, tokens), and
            back.
        """
        prompt = tf.TensorSpec([None], tf.string, PROMPT)
        token_ids = tf.TensorSpec([None, None], tf.int32, names.TOKEN_IDS)
        text = tf.TensorSpec([None], tf.string, TEXT)
        settings = default_settings(self._steps)
        beam_settings = {"max_new_tokens": settings["max_new_tokens"], **_BEAM_SETTINGS}
        return {
            "serving_default": _function(
                lambda prompt: self._generate_greedily(self._encoded(prompt), settings), prompt
            ),
            "generate": _with_settings(self._of_prompts(self._generate), prompt, settings),
            "generate_beam": _with_settings(self._of_prompts(self._generate_beam), prompt, beam_settings),
            "generate_ids": _with_settings(
                lambda ids, settings: self._generate(self._ragged(ids), settings), token_ids, settings
            ),
            "score": self._scoring(),
            "tokenize": _function(
                lambda text: {names.TOKEN_IDS: self._tokenizer.encode_ragged(text).to_tensor(self._tokenizer.pad_id)},
                text,
            ),
            "detokenize": _function(lambda token_ids: {TEXT: self._tokenizer.decode_strings(token_ids)}, token_ids),
        }

    def _encoded(self, prompts: tf.Tensor) -> tf.RaggedTensor:
        return self._tokenizer.encode_ragged(tf.strings.join([self._frame.prefix, prompts, self._frame.separator]))

    def _of_prompts(self, generate: Callable) -> Callable:
        return lambda prompts, settings: generate(self._encoded(prompts), settings)

    def _generate(self, ids: tf.RaggedTensor, settings: dict) -> dict[str, tf.Tensor]:
        size = self._vocabulary.size
        top_k = tf.where(settings["top_k"] > 0, tf.minimum(settings["top_k"], size), size)
        settings = settings | {"top_k": top_k, "seed": tf.cast(settings["seed"], tf.uint32)}
        strategies = (GREEDY, SAMPLING, FILTERED_SAMPLING)
        return self._written(strategies, choose_strategy(settings, size), ids, settings)

    def _generate_greedily(self, ids: tf.RaggedTensor, settings: dict) -> dict[str, tf.Tensor]:
        settings = {name: tf.constant(value) for name, value in settings.items()}
        return self._written((GREEDY,), tf.constant(0), ids, settings)

    def _generate_beam(self, ids: tf.RaggedTensor, settings: dict) -> dict[str, tf.Tensor]:
        return self._written((BEAM_SEARCH,), tf.constant(0), ids, settings)

    def _written(
        self, strategies: tuple, choice: tf.Tensor, ids: tf.RaggedTensor, settings: dict
    ) -> dict[str, tf.Tensor]:
        new_tokens = tf.clip_by_value(settings["max_new_tokens"], 1, self._most_new)
        rows = prompt_rows(self._steps, self._tokenizer, ids, new_tokens)
        settings = settings | {"max_new_tokens": new_tokens}
        token_ids, log_probabilities = self._loop.write(strategies, choice, rows, settings)
        return {
            TEXT: self._tokenizer.decode_strings(token_ids),
            names.TOKEN_IDS: token_ids,
            "was_cut": ~tf.reduce_any(token_ids == self._tokenizer.end_id, axis=1),
            "prompt_was_cut": rows.was_cut,
            LOG_PROBABILITY: tf.reduce_sum(log_probabilities, axis=1),
        }

    def _scoring(self) -> Callable:
        if self._steps.task.is_encoder_decoder:
            source, target = (tf.TensorSpec([None], tf.string, name) for name in (SOURCE, TARGET))
            return _function(self._score_targets, source, target)
        return _function(self._score_texts, tf.TensorSpec([None], tf.string, TEXT))

    def _score_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = open_rows(self._tokenizer, self._tokenizer.encode_ragged(text), self._steps.most_tokens)
        before = tf.pad(rows.token_ids[:, :-1], [[0, 0], [1, 0]], constant_values=self._tokenizer.start_id)
        # The start token may be the one for padding too.
        mask = tf.sequence_mask(rows.lengths, self._steps.most_tokens)
        return self._scored(rows, {names.TOKEN_IDS: before, names.PADDING_MASK: mask}, tf.reduce_max(rows.lengths))

    def _score_targets(self, source: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
        sources, rows = (
            closed_rows(self._tokenizer, self._tokenizer.encode_ragged(texts), self._steps.most_tokens)
            for texts in (source, target)
        )
        before = tf.pad(rows.token_ids[:, :-1], [[0, 0], [1, 0]], constant_values=self._tokenizer.pad_id)
        features = {names.TOKEN_IDS: sources.token_ids, names.DECODER_TOKEN_IDS: before}
        return self._scored(rows, features, tf.reduce_max(tf.maximum(sources.lengths, rows.lengths)))

    def _scored(self, rows, features: dict[str, tf.Tensor], longest: tf.Tensor) -> dict[str, tf.Tensor]:
        """Log-probabilities of the rows' tokens where the model reads ``features``, both (batch, most_tokens)."""

        def score(length: int) -> tf.Tensor:
            logits = self._steps.task({name: ids[:, :length] for name, ids in features.items()}, training=False)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                rows.token_ids[:, :length], logits[names.NEXT_TOKEN]
            )
            return tf.pad(-losses, [[0, 0], [0, self._steps.most_tokens - length]])

        lengths = self._steps.lengths
        number = tf.reduce_sum(tf.cast(longest > tf.constant(lengths), tf.int32))
        log_probabilities = tf.switch_case(number, [lambda length=length: score(length) for length in lengths])
        log_probabilities = tf.where(tf.sequence_mask(rows.lengths, self._steps.most_tokens), log_probabilities, 0.0)
        means = tf.reduce_sum(log_probabilities, axis=1) / tf.cast(tf.maximum(rows.lengths, 1), tf.float32)
        width = tf.reduce_max(rows.lengths)
        return {
            names.TOKEN_IDS: rows.token_ids[:, :width],
            LOG_PROBABILITIES: log_probabilities[:, :width],
            PERPLEXITY: tf.exp(-means),
        }

    def _ragged(self, token_ids: tf.Tensor) -> tf.RaggedTensor:
        """Rows of ids with padding behind them."""
        lengths = tf.reduce_sum(tf.cast(token_ids != self._tokenizer.pad_id, tf.int64), axis=1)
        return tf.RaggedTensor.from_tensor(token_ids, lengths=lengths)


def _function(function: Callable, *specifications: tf.TensorSpec) -> Callable:
    return tf.function(function, input_signature=specifications, autograph=False)


def _with_settings(function: Callable, first: tf.TensorSpec, settings: dict) -> Callable:
    """A signature of ``first`` and scalar settings, which have defaults for a runtime that knows such."""
    defaults = {name: tf.constant(value) for name, value in settings.items()}

    def call(*inputs):
        return function(inputs[0], dict(zip(defaults, inputs[1:], strict=True)))

    # TensorFlow takes names and defaults of a signature's inputs from those of the function.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(first.name, kind)]
    parameters += [inspect.Parameter(name, kind, default=value) for name, value in defaults.items()]
    call.__signature__ = inspect.Signature(parameters)
    scalars = [tf.TensorSpec([], value.dtype, name) for name, value in defaults.items()]
    return _function(call, first, *scalars)
