"""Sets of questions whose answers stand in a passage."""

from pathlib import Path

from benchmarks.tasks.archives import read_json_file
from tfplm.errors import UserError

_NEAR = 10  # characters that an answer may be off its place


def cmrc2018(data: Path) -> dict[str, list[dict]]:
    """CMRC 2018: trained on the part called dev, tested on that called trial. Values of SQuAD's format, in ``data``.

    Of the three answers that dev has for a question, training takes the first that stands in the passage; a question
    without one is left out of training. Answers that stand a few characters off their offset are put right.

    Source: Cui et al. 2019, "A Span-Extraction Dataset for Chinese Machine Reading Comprehension".
    """
    files = {split: data / f"cmrc2018/cmrc2018_{part}.json" for split, part in (("train", "dev"), ("test", "trial"))}
    try:
        articles = {split: read_json_file(path)["data"] for split, path in files.items()}
        return {
            "train": [_of_first_answers(article) for article in articles["train"]],
            "test": [_with_answers_placed(article) for article in articles["test"]],
        }
    except (KeyError, TypeError) as error:
        raise UserError(f"{data / 'cmrc2018'} is not as expected: no {error}.", "Expected SQuAD's format.") from error


def num_questions(articles: list[dict]) -> int:
    """Of all passages."""
    return sum(len(paragraph["qas"]) for article in articles for paragraph in article["paragraphs"])


def _of_first_answers(article: dict) -> dict:
    article = _with_answers_placed(article)
    for paragraph in article["paragraphs"]:
        answered = [question for question in paragraph["qas"] if question["answers"]]
        paragraph["qas"] = [question | {"answers": question["answers"][:1]} for question in answered]
    return article


def _with_answers_placed(article: dict) -> dict:
    """The article with the title and passages, and with those answers that stand there."""
    return {
        "title": article.get("title", ""),
        "paragraphs": [
            {
                "context": paragraph["context"],
                "qas": [_placed(question, paragraph["context"]) for question in paragraph["qas"]],
            }
            for paragraph in article["paragraphs"]
        ],
    }


def _placed(question: dict, context: str) -> dict:
    placed = [place(answer["text"], answer["answer_start"], context) for answer in question["answers"]]
    answers = [
        {"text": answer["text"], "answer_start": start}
        for answer, start in zip(question["answers"], placed, strict=True)
        if start is not None
    ]
    return {"id": question["id"], "question": question["question"], "answers": answers}


def place(text: str, start: int, context: str) -> int | None:
    """Where the text stands in the context, nearest to ``start``; None where it does not within some characters."""
    near = range(max(0, start - _NEAR), start + _NEAR + 1) if start >= 0 else range(0)
    found = [offset for offset in near if context.startswith(text, offset)]
    return min(found, key=lambda offset: abs(offset - start), default=None)
