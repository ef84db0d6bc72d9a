"""Pairs as a model that writes is given them: as batches, and as prompts."""

from dataclasses import dataclass
from functools import cached_property

from tfplm.data.encoded_pairs import encode_pairs
from tfplm.data.pair_batches import CompletionBatches, PairBatches, Seq2SeqBatches
from tfplm.data.pairs import Pairs, prompts
from tfplm.finetuning_configuration import GenerationFinetuneConfig
from tfplm.tasks.language_model import LanguageModel
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.generation_evaluation import cut_prompts
from trainers.language_model_evaluation import TextScorer


@dataclass(frozen=True)
class PairTexts:
    """Turns pairs into what one model reads.

    Args:
        task: a decoder or an encoder-decoder.
        tokenizer: its own.
        config: of its fine-tuning: prefixes, separator, lengths and batch size.
        jit_compile: whether XLA compiles the forward pass of `figures`.
    """

    task: LanguageModel
    tokenizer: Tokenizer
    config: GenerationFinetuneConfig
    jit_compile: bool = False

    @property
    def _separator(self) -> str:
        """What stands between a source and its target."""
        return "" if self.task.is_encoder_decoder else self.config.task.separator

    def prompts(self, pairs: Pairs) -> list[str]:
        """The texts that the model answers, cut as those that it has learned from."""
        texts = prompts(pairs, self.config.prefixes, self._separator)
        # One of source_length is the token that begins or ends the text.
        return cut_prompts(
            self.tokenizer, texts, self.config.source_length - 1, keep_end=not self.task.is_encoder_decoder
        )

    def batches(self, pairs: Pairs, seed: int | None) -> PairBatches:
        """Batches with the targets; those without a seed keep the order, for evaluation."""
        kind = Seq2SeqBatches if self.task.is_encoder_decoder else CompletionBatches
        encoded = encode_pairs(self.tokenizer, pairs, self.config.prefixes, self._separator)
        return kind(encoded, self.config.source_length, self.config.target_length, self.config.batch_size, seed)

    def figures(self, pairs: Pairs) -> dict | None:
        """How well the targets are predicted behind the right tokens; None where there are no pairs."""
        if not len(pairs):
            return None
        batches = self.batches(pairs, None)
        drawn = map(batches.batch, range(batches.steps_per_epoch))
        return self._scorer.sums(drawn, self.tokenizer.token_bytes).figures()

    @cached_property
    def _scorer(self) -> TextScorer:
        return TextScorer(self.task, self.jit_compile)
