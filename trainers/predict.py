"""Answers to texts, by a fine-tuned run or by what was exported of it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from trainers.answers import open_answers

_AT_ONCE = 1024


def predict_run(path: str | Path, texts: Iterable[str | Mapping[str, str]]) -> Iterator[dict]:
    """Yields for each text, in order, the strings that it was given and the answer, as `Answerer.record` describes it.

    The texts go to the tokenizer as they are, just as in the exported model. Where an answer is made of several
    strings, each of ``texts`` is a mapping by their names. Raises UserError when ``path`` does not answer texts.
    """
    model = open_answers(path)
    inputs = model.answerer.inputs
    texts = iter(texts)
    while batch := list(islice(texts, _AT_ONCE)):
        given = [{inputs[0]: text} if isinstance(text, str) else dict(text) for text in batch]
        strings = {name: [values[name] for values in given] for name in inputs}
        answers = model.answer(model.answerer.completed(strings))
        for values, record in zip(given, model.answerer.records(answers), strict=True):
            yield values | record
