"""From prompts as text to answers as text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import Continuation, DecodingLoop, Written
from tfplm.generation.plan import Vocabulary
from tfplm.generation.text_stream import StopStrings, TextStream
from tfplm.generation.writer import Writer
from tfplm.tokenizers.tokenizer import Tokenizer

_TOKENS_PER_LOOK = 16  # between two looks for stop strings
_READ_ANY_LENGTH = ("lstm",)  # families of decoders without positions
_TOKENS_PER_PIECE = 4  # between two pieces of a stream


@dataclass(frozen=True)
class Generation:
    """What was written behind one prompt; every list has one entry a sample."""

    prompt: str
    texts: list[str]  # up to the stop string, without it
    token_ids: list[np.ndarray]  # int32 (n,); the end token is among them, and what holds the stop string
    log_probabilities: list[np.ndarray] | None  # float32 (n,), as the model gives them; None unless asked for
    was_cut: list[bool]  # ended by max_new_tokens, neither by the end token nor by a stop string


class TextGenerator:
    """Writes text with a model.

    Args:
        task: a language model, or an encoder-decoder.
        tokenizer: its tokenizer.
        batch_size: prompts that are read at once, at most.
        jit_compile: whether XLA compiles the loop; "auto" decides.

    Example:
        >>> generator = TextGenerator(load_task("runs/gpt/model"), load_tokenizer("runs/gpt/tokenizer"))
        >>> settings = GenerationConfig(strategy="sample", top_p=0.9, max_new_tokens=50)
        >>> generator.generate(["The state of the union"], settings)[0].texts[0]
    """

    def __init__(self, task: Writer, tokenizer: Tokenizer, batch_size: int = 16, jit_compile: bool | str = "auto"):
        self._task, self._tokenizer, self._batch_size = task, tokenizer, batch_size
        self._loop = DecodingLoop(task, jit_compile)
        size = task.encoder.config.vocabulary_size
        beyond = range(tokenizer.vocabulary_size, size)  # a model may have more ids than the tokenizer
        never = (*tokenizer.special_ids, *beyond)
        self._vocabulary = Vocabulary(size, tokenizer.end_id, never, tokenizer.pad_id)

    def generate(self, prompts: Sequence[str], settings: GenerationConfig | None = None) -> list[Generation]:
        """Writes on behind each prompt, or answers it.

        A prompt's texts do not depend on which others stand beside it.

        Args:
            prompts: any number.
            settings: the defaults if None.

        Raises:
            UserError: a prompt is empty, or too long for the model.
        """
        settings = settings or GenerationConfig()
        rows = self._encoded(prompts, settings)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # little padding
        generations = {}
        for begin in range(0, len(order), self._batch_size):
            chosen = order[begin : begin + self._batch_size]
            texts = self._texts([rows[number] for number in chosen], settings)
            for number, written in zip(chosen, texts, strict=True):
                generations[number] = self._generation(prompts[number], written, settings)
        return [generations[number] for number in range(len(prompts))]

    def stream(self, prompt: str, settings: GenerationConfig | None = None) -> Iterator[str]:
        """Writes on behind one prompt, and yields the text piece by piece, whole characters at a time.

        Args:
            prompt: text.
            settings: the defaults if None; of several samples only the first is written. Beam search knows its text
                at the end only, and yields it at once.

        Raises:
            UserError: as of `generate`.
        """
        settings = (settings or GenerationConfig()).model_copy(update={"num_samples": 1})
        rows = self._encoded([prompt], settings)
        return self._pieces(self._loop.start(rows, settings, self._vocabulary), settings)

    def _pieces(self, continuation: Continuation, settings: GenerationConfig) -> Iterator[str]:
        stream = TextStream(self._tokenizer, settings.stop)
        step = settings.max_new_tokens if settings.strategy == "beam" else _TOKENS_PER_PIECE
        while not (continuation.is_done or stream.is_stopped):
            continuation.advance(step)
            yield from stream.update(continuation.written()[0][0].token_ids, is_last=False)
        yield from stream.update(continuation.written()[0][0].token_ids, is_last=True)

    def _texts(self, rows: list[np.ndarray], settings: GenerationConfig) -> list[list[Written]]:
        if not settings.stop or settings.strategy == "beam":
            return self._loop.write(rows, settings, self._vocabulary)
        continuation = self._loop.start(rows, settings, self._vocabulary)
        stops = StopStrings(self._tokenizer, settings.stop)
        stopped = set()
        while not continuation.is_done:
            continuation.advance(_TOKENS_PER_LOOK)
            for prompt, samples in enumerate(continuation.written()):
                for sample, written in enumerate(samples):
                    if (prompt, sample) not in stopped and stops.end(written.token_ids) is not None:
                        stopped.add((prompt, sample))
                        continuation.stop(prompt, sample)
        return continuation.written()

    def _generation(self, prompt: str, samples: list[Written], settings: GenerationConfig) -> Generation:
        stops = StopStrings(self._tokenizer, settings.stop)
        ends = [stops.end(written.token_ids) for written in samples]
        token_ids = [written.token_ids[:end] for written, end in zip(samples, ends, strict=True)]
        told = [written.log_probabilities for written in samples]
        return Generation(
            prompt=prompt,
            texts=[stops.cut(self._tokenizer.decode(ids)) for ids in token_ids],
            token_ids=token_ids,
            log_probabilities=[values[:end] for values, end in zip(told, ends, strict=True)]
            if settings.log_probabilities
            else None,
            was_cut=[end is None and not written.has_ended for written, end in zip(samples, ends, strict=True)],
        )

    def _encoded(self, prompts: Sequence[str], settings: GenerationConfig) -> list[np.ndarray]:
        """Prompts as the model reads them: behind what begins a text, or before the end token of a source."""
        is_decoder = not self._task.is_encoder_decoder
        edges = (self._tokenizer.prefix_ids, []) if is_decoder else ([], [self._tokenizer.end_id])
        rows = []
        for prompt, ids in zip(prompts, self._tokenizer.encode(list(prompts)), strict=True):
            if not len(ids):
                raise UserError(
                    f"The prompt {prompt!r} is empty.",
                    "Expected text to write on from." if is_decoder else "Expected text to answer.",
                    "Give at least a word.",
                )
            rows.append(np.concatenate([edges[0], ids, edges[1]]).astype(np.int32))
            self._require_room(prompt, len(rows[-1]), settings.max_new_tokens)
        return rows

    def _require_room(self, prompt: str, prompt_tokens: int, new_tokens: int) -> None:
        config = self._task.encoder.config
        most, named = config.max_sequence_length, _shortened(prompt)
        if self._task.is_encoder_decoder:
            _require_fits(f"The text {named!r} has {prompt_tokens} tokens", prompt_tokens, most, "Shorten it")
            _require_fits(f"max_new_tokens is {new_tokens}", new_tokens, most, f"Set max_new_tokens={most} or less")
            return
        if config.type in _READ_ANY_LENGTH:
            return
        room = most - prompt_tokens
        _require_fits(
            f"The prompt {named!r} has {prompt_tokens} tokens, the start token counted, and max_new_tokens is "
            f"{new_tokens}: together {prompt_tokens + new_tokens}",
            prompt_tokens + new_tokens,
            most,
            f"Set max_new_tokens={room} or less, or shorten the prompt" if room > 0 else "Shorten the prompt",
        )


def _require_fits(found: str, tokens: int, most: int, remedy: str) -> None:
    if tokens > most:
        raise UserError(f"{found}.", f"The model reads {most} at most (max_sequence_length).", f"{remedy}.")


def _shortened(text: str, length: int = 40) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
