"""Figures of written text against references: BLEU, chrF, ROUGE, exact matches and lengths."""

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals
from trainers.metrics.scripts import TERM, is_han, is_unspaced

_ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class TermTokenizer:
    """Words in lower case, as ROUGE counts them; where a script has no spaces every character is one."""

    def tokenize(self, text: str) -> list[str]:
        return TERM.findall(text.lower())


def script_tokenizer(references: list[str]) -> str:
    """The name of sacreBLEU's tokenizer for the script of most of the text: zh, char (other unspaced scripts), 13a."""
    if not is_unspaced(references):
        return "13a"
    return "zh" if is_han(references) else "char"


def generation_figures(outputs: list[str], references: list[str], bleu_tokenizer: str = "auto") -> dict:
    """Judges texts.

    Args:
        outputs: what was written, n texts.
        references: what should have been, n texts.
        bleu_tokenizer: of sacreBLEU ("13a", "zh", "char"), or "auto": by the script of the references.

    Returns:
        bleu, chrf (chrF2), rouge_1, rouge_2, rouge_l (mean F1) and exact_match in percent; length_ratio, characters
        of the outputs over those of the references; examples, their number; bleu_signature and chrf_signature, with
        which sacreBLEU says how it counted.

    Source: Papineni et al. 2002; Popović 2015, "chrF"; Lin 2004, "ROUGE"; Post 2018, "A Call for Clarity in Reporting
    BLEU Scores".
    """
    if not outputs or len(outputs) != len(references):
        raise ValueError(f"outputs, references: expected as many of each, got {len(outputs)} and {len(references)}")
    bleu, chrf = BLEU(tokenize=_bleu_tokenizer(references, bleu_tokenizer)), CHRF()
    return {
        "examples": len(outputs),
        "bleu": bleu.corpus_score(outputs, [references]).score,
        "chrf": chrf.corpus_score(outputs, [references]).score,
        **{name: float(scores.mean()) for name, scores in _text_scores(outputs, references).items()},
        "length_ratio": sum(map(len, outputs)) / max(1, sum(map(len, references))),
        "bleu_signature": str(bleu.get_signature()),
        "chrf_signature": str(chrf.get_signature()),
    }


def generation_intervals(
    outputs: list[str], references: list[str], bleu_tokenizer: str = "auto", bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of the figures of `generation_figures`, chrF aside; texts are drawn, arguments as there.

    Source: Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation", section 3.
    """
    scores = _text_scores(outputs, references)
    counts_for_bleu = _bleu_counts(outputs, references, _bleu_tokenizer(references, bleu_tokenizer))
    lengths, reference_lengths = (np.array(list(map(len, texts))) for texts in (outputs, references))

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "bleu": np.array([_bleu(sums) for sums in counts @ counts_for_bleu]),
            **{name: counted.mean(counts, values) for name, values in scores.items()},
            "length_ratio": counted.ratio(counts @ lengths, counts @ reference_lengths),
        }

    return counted_intervals(figures, len(outputs), bootstrap)


def _text_scores(outputs: list[str], references: list[str]) -> dict[str, np.ndarray]:
    """ROUGE's F1 and exact matches of every text, in percent."""
    pairs = list(zip(outputs, references, strict=True))
    scorer = RougeScorer(list(_ROUGE.values()), tokenizer=TermTokenizer())
    scores = [scorer.score(reference, output) for output, reference in pairs]
    rouge = {name: np.array([100 * score[key].fmeasure for score in scores]) for name, key in _ROUGE.items()}
    return rouge | {"exact_match": np.array([100.0 * (output == reference) for output, reference in pairs])}


def _bleu_tokenizer(references: list[str], asked_for: str) -> str:
    return script_tokenizer(references) if asked_for == "auto" else asked_for


def _bleu_counts(outputs: list[str], references: list[str], tokenizer: str) -> np.ndarray:
    """What every text adds to BLEU, int64 (texts, 10): right and all n-grams of four orders, and both lengths."""
    bleu = BLEU(tokenize=tokenizer, effective_order=True)
    scores = [bleu.sentence_score(output, [reference]) for output, reference in zip(outputs, references, strict=True)]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return np.array(rows, np.int64).reshape(-1, 10)


def _bleu(sums: np.ndarray) -> float:
    """BLEU from the sums of `_bleu_counts`, smoothed as `generation_figures` has it."""
    *counts, output_length, reference_length = map(int, sums)
    return BLEU.compute_bleu(counts[:4], counts[4:], output_length, reference_length, smooth_method="exp").score
