"""A data folder of made-up examples in the formats of the standard sets."""

import json
import zipfile
from pathlib import Path

_SUBJECTS = ("the river", "a blue kite", "our old dog", "this long road", "her tin drum", "one red leaf")
_CLASSES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")


def write_sets(data: Path, count: int = 20) -> Path:
    """Writes every set with about so many examples a part."""
    sentences = {"pos": _sentences("good", count), "neg": _sentences("bad", count)}
    members = {f"sentence_polarity/rt-polarity.{name}": text for name, text in sentences.items()}
    _zip(data / "nltk/sentence_polarity.zip", members)
    _zip(data / "nltk/qc.zip", {f"qc/{part}.txt": _questions(count) for part in ("train", "test")})
    _zip(data / "nltk/rte.zip", {f"rte/rte{y}_{part}.xml": _pairs(y) for y in (1, 2, 3) for part in ("dev", "test")})
    _zip(data / "nltk/conll2000.zip", {f"conll2000/{part}.txt": _chunks(count) for part in ("train", "test")})
    (data / "wnut17").mkdir()
    for name in ("wnut17train", "emerging.dev", "emerging.test"):
        (data / f"wnut17/{name}.conll").write_text(_entities(count), encoding="utf-8")
    (data / "cmrc2018").mkdir()
    for part in ("dev", "trial"):
        values = {"version": "v1.0", "data": [_article(part, number) for number in range(count)]}
        (data / f"cmrc2018/cmrc2018_{part}.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    return data


def _subject(number: int) -> str:
    return _SUBJECTS[number % len(_SUBJECTS)]


def _zip(path: Path, members: dict[str, str | bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _sentences(word: str, count: int) -> str:
    return "".join(f"{_subject(i)} is {word} number {i} . \n" for i in range(count))


def _questions(count: int) -> bytes:
    """In Latin-1, as the real file is."""
    lines = [f"{_CLASSES[i % 6]}:kind Where does {_subject(i)} meet the café number {i} ?\n" for i in range(count)]
    return "".join(lines).encode("latin-1")


def _pairs(year: int) -> bytes:
    """With a byte order mark and CRLF in the third year; the first one says it in another way."""
    answers = {1: 'value="TRUE" task="IR"'}.get(year, 'entailment="YES" task="IE"')
    opposite = answers.replace("TRUE", "FALSE").replace("YES", "NO")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<entailment-corpus>\n'
        f'<pair id="1" {answers}>\n\t<t>Tom &amp; Ann rowed in {year}.</t>\n\t<h>Ann rowed.</h>\n</pair>\n'
        f'<pair id="2" {opposite}>\n\t<t>Nobody sang in {year}.</t>\n\t<h>Ann sang.</h>\n</pair>\n'
        "</entailment-corpus>\n"
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig") if year == 3 else text.encode()


def _chunks(count: int) -> str:
    return "".join(f"Tom NNP B-NP\nrows VBZ B-VP\nboat CD B-NP\n{i} CD I-NP\n. . O\n\n" for i in range(count))


def _entities(count: int) -> str:
    return "".join(f"Ann\tB-person\nOak\tI-person\nlikes\tO\nRiverton\tB-location\n{i}\tO\n\t\n" for i in range(count))


def _article(part: str, number: int) -> dict:
    """A passage with two questions: an answer a character off its place, and one that stands nowhere."""
    context = f"小明在第{number}天走进图书馆，借了两本书。"
    right = {"text": "图书馆", "answer_start": context.index("图书馆") + 1}
    missing = {"text": "电影院", "answer_start": -1}
    questions = [
        {"id": f"{part}_{number}_0", "question": "小明走进哪里？", "answers": [missing, right, right]},
        {"id": f"{part}_{number}_1", "question": "小明没去哪里？", "answers": [missing]},
    ]
    return {"id": str(number), "title": "", "paragraphs": [{"id": str(number), "context": context, "qas": questions}]}
