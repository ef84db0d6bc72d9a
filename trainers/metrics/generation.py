"""Figures of written text against references: BLEU, chrF, ROUGE, exact matches and lengths."""

import re
import statistics

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_UNSPACED = rf"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff{_HAN}"  # Thai, Lao, Burmese, Khmer, Kana too
_TERM = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_HAN_CHARACTER, _UNSPACED_CHARACTER = re.compile(f"[{_HAN}]"), re.compile(f"[{_UNSPACED}]")
_ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class TermTokenizer:
    """Words in lower case, as ROUGE counts them; where a script has no spaces every character is one."""

    def tokenize(self, text: str) -> list[str]:
        return _TERM.findall(text.lower())


def script_tokenizer(references: list[str]) -> str:
    """The name of sacreBLEU's tokenizer for the script of most of the text: zh, char (other unspaced scripts), 13a."""
    text = "".join("".join(references).split())
    unspaced, han = len(_UNSPACED_CHARACTER.findall(text)), len(_HAN_CHARACTER.findall(text))
    if 2 * unspaced < len(text) or not text:
        return "13a"
    return "zh" if 5 * han >= 4 * unspaced else "char"  # with many kana it is Japanese


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
    bleu = BLEU(tokenize=script_tokenizer(references) if bleu_tokenizer == "auto" else bleu_tokenizer)
    chrf = CHRF()
    return {
        "examples": len(outputs),
        "bleu": bleu.corpus_score(outputs, [references]).score,
        "chrf": chrf.corpus_score(outputs, [references]).score,
        **_rouge_figures(outputs, references),
        "exact_match": 100 * statistics.fmean(o == r for o, r in zip(outputs, references, strict=True)),
        "length_ratio": sum(map(len, outputs)) / max(1, sum(map(len, references))),
        "bleu_signature": str(bleu.get_signature()),
        "chrf_signature": str(chrf.get_signature()),
    }


def _rouge_figures(outputs: list[str], references: list[str]) -> dict[str, float]:
    scorer = RougeScorer(list(_ROUGE.values()), tokenizer=TermTokenizer())
    scores = [scorer.score(reference, output) for output, reference in zip(outputs, references, strict=True)]
    return {name: 100 * statistics.fmean(score[key].fmeasure for score in scores) for name, key in _ROUGE.items()}
