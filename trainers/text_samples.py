"""Beginnings of text for a model to continue, and what one under training makes of them."""

import numpy as np

from tfplm.data.shards import TokenShards
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import TextGenerator
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

_NUM_PROMPTS = 4
_PROMPT_TOKENS, _NEW_TOKENS = 32, 64  # at most; a model that reads few tokens gets fewer


def beginnings(shards: TokenShards, tokenizer: Tokenizer, count: int, num_tokens: int) -> list[str]:
    """At most ``count`` texts of at most ``num_tokens`` tokens, from sentences that stand evenly apart."""
    starts = shards.sentence_starts_tokens
    found = {}
    for sentence in np.linspace(0, shards.num_sentences - 1, min(count, shards.num_sentences)).astype(int):
        start, stop = int(starts[sentence]), int(starts[sentence + 1])
        text = tokenizer.decode(shards.tokens(start, min(stop, start + num_tokens)))
        text = text.rstrip("\ufffd").strip()  # of a character that the cut went through
        if text:
            found[text] = None
    return list(found)


class TextSamples:
    """Continues beginnings of the validation text, sampled with one seed: the model alone makes them differ.

    Args:
        task: that writes.
        tokenizer: its own.
        shards: of the validation text.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer, shards: TokenShards):
        self._room = task.encoder.config.max_sequence_length
        self._prompts = beginnings(shards, tokenizer, _NUM_PROMPTS, prompt_length(self._room))
        self._generator = TextGenerator(task, tokenizer)

    def write(self) -> list[dict[str, str]]:
        """``{"prompt", "text"}`` for every beginning."""
        new_tokens = min(_NEW_TOKENS, self._room // 2)
        if not new_tokens:
            return []
        settings = GenerationConfig(strategy="sample", temperature=0.8, top_p=0.95, max_new_tokens=new_tokens)
        written = self._generator.generate(self._prompts, settings)
        return [{"prompt": answer.prompt, "text": answer.texts[0]} for answer in written]


def prompt_length(max_sequence_length: int) -> int:
    """Tokens of a prompt that leaves the model room to write."""
    return min(_PROMPT_TOKENS, max_sequence_length // 4)


def samples_markdown(samples: list[dict[str, str]]) -> str:
    """A Markdown list: the prompt in bold, and what was written behind it."""
    lines = []
    for sample in samples:
        prompt, text = (sample[key].replace("*", r"\*").replace("\n", " ⏎ ") for key in ("prompt", "text"))
        lines.append(f"- **{prompt}** {text}")
    return "\n".join(lines)
