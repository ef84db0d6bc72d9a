from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.tfplm.data.tagging_tokenizer import TOKENIZER
from tfplm.answering.answer_names import PROBABILITIES
from tfplm.answering.answerer import answer_texts
from tfplm.answering.registry import answerer_for
from tfplm.models.build import build_model
from tfplm.models.configuration import LstmConfig
from tfplm.tasks.configuration import TokenClassificationConfig
from tfplm.tasks.tag_layout import tag_names
from tfplm.tasks.token_classification import TokenClassifier

NAMES = tag_names(["LOC", "PER"])
TEXT = "the cat saw 北京市 and Büro-cats 👍🏽 in 서울에서"


def answerer_of(sequence_length=16, class_names=NAMES, **config):
    """An answerer without a model, as an export is judged by."""
    config = TokenClassificationConfig(**config)
    task = SimpleNamespace(task_type=config.type, config=config, class_names=class_names)
    return answerer_for(task, TOKENIZER, sequence_length)


def records_of(answerer, texts, tags):
    """The answers where every token that lies in a part of its text has the tag of that part, and the others O."""
    inputs = {"text": tf.constant(texts)}
    rows = answerer.encode(inputs)
    probabilities = np.full((*rows["token_ids"].shape, len(answerer.class_names)), 0.01, np.float32)
    for window, columns in enumerate(rows["starts"].numpy()):
        text = texts[int(rows["texts"][window])].encode()
        for column, start in enumerate(columns):
            name = "O"
            for part, tag in tags.items():
                place = text.find(part.encode())
                if place >= 0 and place <= start < place + len(part.encode()):
                    name = tag
                    if tag[0] == "B" and start > place:
                        name = "I" + tag[1:]
            probabilities[window, column, answerer.class_names.index(name)] = 0.9
    answers = answerer.decide(rows, {PROBABILITIES: tf.constant(probabilities)}, inputs)
    return list(answerer.records({name: value.numpy() for name, value in answers.items()}))


@pytest.mark.parametrize("sequence_length", [9, 64])
def test_spans_are_parts_of_the_string_by_their_characters(sequence_length):
    tags = {"北京市": "B-LOC", "Büro": "B-PER", "👍🏽": "B-PER", "서울": "B-LOC"}
    found = records_of(answerer_of(sequence_length), [TEXT, "", "and cat"], tags)
    assert [[(span["text"], span["label"]) for span in record["spans"]] for record in found] == [
        [("北京市", "LOC"), ("Büro", "PER"), ("👍🏽", "PER"), ("서울", "LOC")], [], []
    ]  # fmt: skip
    for span in found[0]["spans"]:
        assert TEXT[span["start"] : span["end"]] == span["text"]
        assert span["score"] == pytest.approx(0.9)


def test_a_span_over_the_edge_of_windows_is_one():
    text = "the " * 5 + "cat " * 12 + "and"
    (record,) = records_of(answerer_of(9), [text], {("cat " * 12).strip(): "B-PER"})
    assert [(span["start"], span["end"]) for span in record["spans"]] == [(20, 67)]


def test_a_tag_that_is_not_legal_is_not_given_unless_wanted():
    tags = {"cat": "I-PER"}
    (strict,), (free,) = (records_of(answerer_of(legal_tags=legal), [TEXT], tags) for legal in (True, False))
    assert free["spans"] == [{"start": 4, "end": 7, "label": "PER", "score": pytest.approx(0.9), "text": "cat"}]
    assert strict["spans"] == [] or strict["spans"][0]["score"] < 0.1


def test_classes_without_prefixes_give_every_word_a_span():
    (record,) = records_of(answerer_of(class_names=["O", "NN", "VB"]), ["the cat saw"], {"cat": "NN", "saw": "VB"})
    assert [(span["text"], span["label"]) for span in record["spans"]] == [("cat", "NN"), ("saw", "VB")]


@pytest.mark.parametrize("crf", [False, True])
def test_a_model_answers_texts_of_any_length_as_its_rows_say(crf):
    encoder = build_model(LstmConfig(embedding_dim=8, hidden_dim=8, initializer_range=0.5), TOKENIZER.vocabulary_size)
    task = TokenClassifier(encoder, TokenClassificationConfig(crf=crf), NAMES)
    task.classifier.kernel.assign(np.random.default_rng(0).normal(size=task.classifier.kernel.shape))
    if crf:
        task.chain.transitions.assign(np.random.default_rng(1).normal(size=(5, 5)))
    answerer = answerer_for(task, TOKENIZER, 16)
    texts = [TEXT, "", "cat and " * 40]
    answers = answer_texts(answerer, {"text": texts}, batch_size=2)
    assert len(answers["count"]) == 3 and answers["count"][1] == 0 and answers["count"].max() > 1
    for text, record in zip(texts, answerer.records(answers), strict=True):
        assert all(text[span["start"] : span["end"]] == span["text"] for span in record["spans"])
    inputs = {"text": tf.constant(texts)}
    rows = answerer.encode(inputs)
    scores = answerer.score(rows)
    assert set(scores) == ({PROBABILITIES, "steps"} if crf else {PROBABILITIES})
    again = answerer.decide(rows, scores, inputs)
    np.testing.assert_array_equal(again["starts"], answers["starts"])
    as_arrays = {name: value.numpy() for name, value in scores.items()}
    assert answerer.agreement(as_arrays, as_arrays) == 1.0
