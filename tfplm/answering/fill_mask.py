"""Filling in masked words: what a pretrained BERT has learned of a text."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from tfplm import feature_names as names
from tfplm.errors import UserError
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tokenizers.tokenizer import Tokenizer

MASK_WORD = "[MASK]"
_CONTINUING_PREFIX = "##"


@dataclass(frozen=True)
class MaskCandidate:
    """A token for a mask.

    Args:
        token: as it stands in the vocabulary.
        token_id: its id.
        probability: among all tokens.
        text: the text with this token, and at the other masks their likeliest ones.
    """

    token: str
    token_id: int
    probability: float
    text: str


@dataclass(frozen=True)
class FilledText:
    """A text with masks, filled in.

    Args:
        text: as it was given.
        filled: with the likeliest token at every mask.
        masks: for every mask its candidates, the likeliest first.
    """

    text: str
    filled: str
    masks: list[list[MaskCandidate]]


class MaskFiller:
    """Asks a masked-language model which tokens stand where a text has a mask.

    A text is cut at the mask word, and the id of the mask comes in between: to the tokenizer that word is ordinary
    text. Every mask is judged with all others still masked.

    Source: Devlin et al. 2019, "BERT", section 3.1.

    Args:
        task: pretrained or imported.
        tokenizer: that it was trained with.
        mask_word: that stands for a mask in texts.

    Raises:
        UserError: the tokenizer has no mask.

    Example:
        >>> filler = MaskFiller(tfplm.load_task("runs/bert/pretrain/model"), tokenizer)
        >>> filler.fill("The state of the [MASK].").filled
        'The state of the union.'
    """

    def __init__(self, task: MaskedLanguageModel, tokenizer: Tokenizer, mask_word: str = MASK_WORD):
        if tokenizer.mask_id is None:
            raise UserError("The tokenizer of the model has no mask.", "Expected that of a masked-language model.")
        if not mask_word:
            raise UserError("The word for a mask is empty.", "Expected a word such as [MASK].")
        self.task, self.tokenizer, self.mask_word = task, tokenizer, mask_word

    def fill(self, text: str, top_k: int = 5) -> FilledText:
        """Fills in the masks of a text.

        Args:
            text: with the mask word once or several times.
            top_k: candidates of each mask.

        Raises:
            UserError: there is no mask in it, or it is too long for the model.
        """
        parts = text.split(self.mask_word)
        if len(parts) < 2:
            raise UserError(f"There is no {self.mask_word} in {text!r:.200}.", "Expected one at least.")
        token_ids, positions = self._row(parts)
        probabilities = self._probabilities(token_ids, positions)
        # (masks, top_k), the likeliest first; of equals the one with the smaller id.
        chosen = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        best = chosen[:, 0]
        masks = [
            [self._candidate(parts, best, mask, token_id, probabilities[mask, token_id]) for token_id in chosen[mask]]
            for mask in range(len(chosen))
        ]
        return FilledText(text, self._join(parts, best), masks)

    def _row(self, parts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of a text, int32 (length,), and where its masks are, int32 (masks,)."""
        pieces = self.tokenizer.encode([part.rstrip() for part in parts[:-1]] + parts[-1:])
        ids: list[int] = list(self.tokenizer.prefix_ids)
        positions = []
        for number, piece in enumerate(pieces):
            if number:
                positions.append(len(ids))
                ids.append(self.tokenizer.mask_id)
            ids.extend(piece.tolist())
        ids.extend(self.tokenizer.suffix_ids)
        most = self.task.encoder.config.max_sequence_length
        if len(ids) > most:
            raise UserError(f"The text has {len(ids)} tokens.", f"The model reads at most {most}.", "Shorten it.")
        return np.array(ids, np.int32), np.array(positions, np.int32)

    def _probabilities(self, token_ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """float64 (masks, vocabulary)."""
        inputs = {names.TOKEN_IDS: token_ids[np.newaxis], names.MASK_POSITIONS: positions[np.newaxis]}
        logits = self.task(inputs, training=False)[names.MASKED_LM][0]
        return keras.ops.convert_to_numpy(keras.ops.softmax(logits)).astype(np.float64)

    def _candidate(
        self, parts: list[str], best: Iterable[int], mask: int, token_id: int, probability: float
    ) -> MaskCandidate:
        tokens = np.array(best)
        tokens[mask] = token_id
        token = self.tokenizer.vocabulary[token_id]
        return MaskCandidate(token, int(token_id), float(probability), self._join(parts, tokens))

    def _join(self, parts: list[str], token_ids: Iterable[int]) -> str:
        """The text with tokens at its masks; what goes on a word stands close to it."""
        text = parts[0]
        for token_id, part in zip(token_ids, parts[1:], strict=True):
            decoded = self.tokenizer.decode([int(token_id)])
            shown = decoded.strip().removeprefix(_CONTINUING_PREFIX) or self.tokenizer.vocabulary[token_id]
            if not self.tokenizer.is_word_start[token_id]:
                text = text.rstrip()
            text += shown + part
        return text
