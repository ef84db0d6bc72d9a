"""What a model must offer to write text: read a prompt once, then a token at a time with what it has kept."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from keras import KerasTensor

from tfplm.generation.configuration import GenerationConfig

if TYPE_CHECKING:
    from tfplm.generation.decoding import Written
    from tfplm.generation.plan import Vocabulary


class Decoded(NamedTuple):
    """What a writer makes of the tokens that it has read."""

    logits: KerasTensor  # (batch, vocabulary) float32, for the token behind the last one that was read
    hidden: KerasTensor  # (batch, dim), what the logits were made from
    state: dict[str, KerasTensor]  # feature_names.INDEX, and by name what was kept, each with the batch axis first


class Writer:
    """A task that writes. `prefill` and `decode` are pure functions of tensors with static shapes.

    A decoder's prompts stand at the right of their rows, behind padding, so that they all end in the same column: one
    column number serves every row, and the position of a token is its column less that of the row's first token.
    """

    is_encoder_decoder: bool

    @abstractmethod
    def prefill(self, inputs: dict, cache_length: int) -> Decoded:
        """Reads the prompts.

        Args:
            inputs: TOKEN_IDS (batch, prompt) int32. Of a decoder padded with ``pad_id`` on the left, each prompt
                beginning with the tokenizer's prefix; PADDING_MASK (batch, prompt) may say which tokens count. Of an
                encoder-decoder padded on the right; its decoder reads its own first token here.
            cache_length: columns of the cache: the prompt's (an encoder-decoder's first token) and one for every
                token that `decode` will read.
        """

    @abstractmethod
    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> Decoded:
        """Reads one token of every row, (batch,) int32, behind those of ``state``."""

    def decoder(self) -> Callable[[KerasTensor, dict[str, KerasTensor]], Decoded]:
        """`decode` for a loop: what is the same for every token may be computed here, once and before the loop."""
        return self.decode

    def generate(
        self, prompts: Sequence[Sequence[int]], vocabulary: "Vocabulary", settings: GenerationConfig | None = None
    ) -> "list[list[Written]]":
        """Writes behind prompts of token ids, all of them in one batch; `TextGenerator` does so with text.

        Args:
            prompts: at least one, each of one token or more, as `prefill` takes them but without padding.
            vocabulary: what ends a text, and what is never written.
            settings: the defaults if None.

        Returns:
            By prompt, and by sample of each prompt, token ids and what is known of them.
        """
        from tfplm.generation.decoding import DecodingLoop  # here: it is made for this class

        if not hasattr(self, "_decoding_loop"):
            self._decoding_loop = DecodingLoop(self)
        return self._decoding_loop.write(prompts, settings or GenerationConfig(), vocabulary)
