"""Sets whose texts, or pairs of texts, have one label each."""

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.tasks.archives import read_member
from tfplm.errors import UserError

Rows = list[dict[str, str]]

_POLARITIES = {"pos": "positive", "neg": "negative"}


def sentence_polarity(data: Path) -> dict[str, Rows]:
    """MR: of each class the first 80 % of the lines for training, the next 10 % to validate, the last 10 % to test.

    In the order of the files, so that sentences of one review, which stand beside each other, hardly part.

    Source: Pang and Lee 2005, "Seeing Stars".
    """
    splits: dict[str, Rows] = {"train": [], "validation": [], "test": []}
    for suffix, label in _POLARITIES.items():
        text = read_member(data / "nltk/sentence_polarity.zip", f"sentence_polarity/rt-polarity.{suffix}")
        rows = [{"text": line.strip(), "label": label} for line in text.split("\n") if line.strip()]
        first, second = round(0.8 * len(rows)), round(0.9 * len(rows))
        for split, part in zip(splits, (rows[:first], rows[first:second], rows[second:]), strict=True):
            splits[split] += part
    return splits


def trec_questions(data: Path) -> dict[str, Rows]:
    """TREC: the official parts, the six coarse classes.

    Source: Li and Roth 2002, "Learning Question Classifiers".
    """
    return {split: _questions(data / "nltk/qc.zip", f"qc/{split}.txt") for split in ("train", "test")}


def _questions(path: Path, member: str) -> Rows:
    rows = []
    for number, line in enumerate(read_member(path, member, "latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        label, _, question = line.strip().partition(" ")
        if ":" not in label or not question:
            raise UserError(f"{path}, {member}, line {number}: {line!r}.", "Expected CLASS:subclass and a question.")
        rows.append({"text": question, "label": label.partition(":")[0]})
    return rows


def recognizing_entailment(data: Path) -> dict[str, Rows]:
    """RTE 1 to 3: the three development parts for training, the three test parts to test.

    Source: Dagan et al. 2006; Bar-Haim et al. 2006; Giampiccolo et al. 2007.
    """
    path = data / "nltk/rte.zip"
    parts = {"train": "dev", "test": "test"}
    return {
        split: [row for year in (1, 2, 3) for row in _entailment_pairs(path, f"rte/rte{year}_{part}.xml")]
        for split, part in parts.items()
    }


def _entailment_pairs(path: Path, member: str) -> Rows:
    try:
        root = ElementTree.fromstring(read_member(path, member, "utf-8-sig").encode())
        return [
            {
                "text": pair.findtext("t").strip(),
                "text_pair": pair.findtext("h").strip(),
                "label": "entailment" if _is_entailed(pair) else "not_entailment",
            }
            for pair in root.iter("pair")
        ]
    except (ElementTree.ParseError, AttributeError, KeyError) as error:
        raise UserError(
            f"{path}, {member} is not as expected: {error}.",
            "Expected pairs with <t>, <h> and whether the one entails the other.",
        ) from error


def _is_entailed(pair: ElementTree.Element) -> bool:
    value = pair.get("entailment") or pair.get("value")  # RTE 2 and 3; RTE 1
    return {"YES": True, "TRUE": True, "NO": False, "FALSE": False}[value]
