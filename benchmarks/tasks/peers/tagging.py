"""A tag for every word, by transformers: the first piece of a word bears its tag."""

from typing import Any

from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BatchEncoding,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

from benchmarks.tasks.assignment import Assignment, read_columns
from benchmarks.tasks.peers.models import begin, build_model, finish, fit, load_tokenizer, model_folder, outputs_of

_NO_TAG = -100  # what the loss leaves out
_OUTSIDE = "O"


def train(assignment: Assignment) -> dict[str, Any]:
    """Trains, and writes the model; returns its figures."""
    began = begin(assignment)
    sentences = read_columns(assignment.train)
    tags = sorted({tag for sentence in sentences for _, tag in sentence})
    ids = {tag: index for index, tag in enumerate(tags)}
    tokenizer = load_tokenizer(assignment)
    model = build_model(
        assignment, AutoModelForTokenClassification, len(tokenizer), id2label=dict(enumerate(tags)), label2id=ids
    )
    encoded = _encode(tokenizer, sentences, assignment)
    examples = []
    for index, sentence in enumerate(sentences):
        labels = [_NO_TAG if word is None else ids[sentence[word][1]] for word in _first_pieces(encoded, index)]
        examples.append(_example(encoded, index) | {"labels": labels})
    collate = DataCollatorForTokenClassification(tokenizer)
    return finish(
        assignment, model, tokenizer, fit(model, examples, collate, assignment.recipe, assignment.seed), began
    )


def answer(assignment: Assignment) -> list[dict]:
    """The tags of every sentence of the test file; words behind the limit have none, which is O."""
    begin(assignment)
    tokenizer = AutoTokenizer.from_pretrained(model_folder(assignment))
    model = AutoModelForTokenClassification.from_pretrained(model_folder(assignment))
    sentences = read_columns(assignment.test)
    encoded = _encode(tokenizer, sentences, assignment)
    examples = [_example(encoded, index) for index in range(len(sentences))]
    outputs = outputs_of(model, examples, DataCollatorWithPadding(tokenizer))
    chosen = [row for output in outputs for row in output.logits.argmax(-1).tolist()]
    answers = []
    for index, (sentence, row) in enumerate(zip(sentences, chosen, strict=True)):
        tags = [_OUTSIDE] * len(sentence)
        for piece, word in enumerate(_first_pieces(encoded, index)):
            if word is not None:
                tags[word] = model.config.id2label[row[piece]]
        answers.append({"tags": tags})
    return answers


def _encode(
    tokenizer: PreTrainedTokenizerBase, sentences: list[list[tuple[str, str]]], assignment: Assignment
) -> BatchEncoding:
    words = [[word for word, _ in sentence] for sentence in sentences]
    length = assignment.recipe.sequence_length
    return tokenizer(words, is_split_into_words=True, truncation=True, max_length=length)


def _example(encoded: BatchEncoding, index: int) -> dict[str, list[int]]:
    return {name: values[index] for name, values in encoded.items()}


def _first_pieces(encoded: BatchEncoding, index: int) -> list[int | None]:
    """For every token the number of the word that it begins; None of other pieces and special tokens."""
    words = encoded.word_ids(index)
    return [None if word == before else word for word, before in zip(words, [None, *words[:-1]], strict=True)]
