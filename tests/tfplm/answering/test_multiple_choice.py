import numpy as np
import pytest

from tests.trainers.task_kinds.small_runs import tokenizer_of
from tfplm.answering.answerer import answer_texts
from tfplm.answering.registry import answerer_for
from tfplm.errors import UserError
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from tfplm.tasks.configuration import MultipleChoiceConfig
from tfplm.tasks.multiple_choice import MultipleChoice

SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 12}
WORDS = ["rain", "snow", "雨", "warm", "cold"]


def build(**config):
    tokenizer = tokenizer_of(WORDS)
    encoder = build_model(BertConfig(**SIZES, initializer_range=0.5), tokenizer.vocabulary_size)
    task = MultipleChoice(encoder, MultipleChoiceConfig(num_choices=3, **config))
    return answerer_for(task, tokenizer, 8), {word: number for number, word in enumerate(tokenizer.vocabulary)}


def test_a_row_is_the_context_with_a_choice_behind_the_question():
    answerer, ids = build(has_question=True)
    texts = answerer.completed({"context": ["rain"], "question": ["雨"], "choices": [["warm", "cold"]]})
    rows = {name: value.numpy() for name, value in answerer.encode(texts).items()}
    assert rows["token_ids"][0, 1].tolist() == [2, ids["rain"], 3, ids["雨"], ids["cold"], 3, 0, 0]
    assert rows["segment_ids"][0, 1].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert rows["choice_mask"].tolist() == [[1, 1, 0]]
    assert not answerer.runs_from_text_in_tflite


def test_examples_of_fewer_choices_are_answered_among_theirs():
    answerer, _ = build()
    texts = answerer.completed({"context": ["rain", "snow"], "choices": [["warm", "cold", "雨"], ["cold", "warm"]]})
    answers = answer_texts(answerer, texts)
    assert answers["probabilities"][1, 2] == 0.0
    np.testing.assert_array_equal(answers["choice"], answers["probabilities"].argmax(axis=1))
    single = answerer.answer_single({name: values[1:] for name, values in answers_inputs(texts).items()})
    np.testing.assert_allclose(single["probabilities"][0], answers["probabilities"][1], atol=1e-6)
    assert next(answerer.records(answers))["choice"] == answers["choice"][0]


def answers_inputs(texts):
    return {name: np.array(values, object) for name, values in texts.items()}


@pytest.mark.parametrize("choices", [["warm"], ["a", "b", "c", "d"]])
def test_another_number_of_choices_is_told(choices):
    answerer, _ = build()
    with pytest.raises(UserError, match=f"{len(choices)} choices(.|\n)*Expected 2 to 3"):
        answerer.completed({"context": ["rain"], "choices": [choices]})


def test_models_agree_as_often_as_they_choose_alike():
    answerer, _ = build()
    left, right = (np.array(rows) for rows in ([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0]], [[0.6, 0.4, 0.0], [0.9, 0.1, 0.0]]))
    assert answerer.agreement({"probabilities": left}, {"probabilities": right}) == 0.5
