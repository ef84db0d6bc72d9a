"""Labels for texts, by a fine-tuned run."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tfplm.data.classification import encode_texts
from trainers.evaluate import ClassifierRun
from trainers.finetune import predict_probabilities

_BATCH = 64


def predict_run(path: str | Path, texts: Iterable[str]) -> Iterator[dict]:
    """Yields ``{"text", "label", "probabilities": {class: p}}`` for each text, in order, in batches.

    The texts go to the tokenizer as they are, just as in the exported model.
    For a multi-label run ``labels`` lists the classes at or over the decision threshold.
    Raises UserError when ``path`` is not a whole fine-tuned run.
    """
    run = ClassifierRun.load(path)
    texts = iter(texts)
    while batch := list(islice(texts, _BATCH)):
        token_ids = encode_texts(run.tokenizer, batch, run.sequence_length)
        for text, row in zip(batch, predict_probabilities(run.classifier, token_ids), strict=True):
            yield _answer(text, row.tolist(), run)


def _answer(text: str, row: list[float], run: ClassifierRun) -> dict:
    classifier = run.classifier
    probabilities = dict(zip(classifier.class_names, row, strict=True))
    answer = {"text": text, "label": max(probabilities, key=probabilities.get)}
    if classifier.config.multi_label:
        threshold = classifier.config.decision_threshold
        answer["labels"] = [name for name, value in probabilities.items() if value >= threshold]
    return answer | {"probabilities": probabilities}
