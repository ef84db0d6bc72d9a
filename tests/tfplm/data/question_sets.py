"""Small files of questions, in SQuAD's form."""

import json
from pathlib import Path

from tfplm.data.question_configuration import QuestionSource

CITIES = ["Amsterdam", "Berlin", "重庆", "Dublin", "Essen", "福州", "Genoa", "Hanoi", "İzmir", "Jakarta"]


def answer(passage: str, text: str, start: int | None = None) -> dict:
    return {"text": text, "answer_start": passage.index(text) if start is None else start}


def question(number: str, text: str, answers: list[dict], **more) -> dict:
    return {"id": number, "question": text, "answers": answers, **more}


def paragraph(passage: str, *questions: dict) -> dict:
    return {"context": passage, "qas": list(questions)}


def city_passage(city: str, part: int = 0) -> str:
    return f"Part {part}. The mayor of {city} lives near the river. {city} was founded in {1000 + len(city)} by monks."


def city_documents(parts: int = 1, impossible: bool = False) -> list[dict]:
    """A document for every city, with as many paragraphs, and two questions for each of them."""
    documents = []
    for city in CITIES:
        paragraphs = []
        for part in range(parts):
            passage = city_passage(city, part)
            asked = [
                question(
                    f"{city}-{part}-where", f"Where does the mayor of {city} live?", [answer(passage, "near the river")]
                ),
                question(f"{city}-{part}-who", f"Who founded {city}?", [answer(passage, "monks")]),
            ]
            if impossible:
                asked.append(question(f"{city}-{part}-why", f"Why did {city} burn?", [], is_impossible=True))
            paragraphs.append(paragraph(passage, *asked))
        documents.append({"title": city, "paragraphs": paragraphs})
    return documents


def write_squad(path: Path, documents: list) -> QuestionSource:
    path.write_text(json.dumps({"version": "1.1", "data": documents}, ensure_ascii=False), encoding="utf-8")
    return QuestionSource(paths=[str(path)])


def write_lines(path: Path, rows: list) -> QuestionSource:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return QuestionSource(paths=[str(path)])
