import contextlib
import re

import numpy as np
import pytest
import tensorflow as tf

from export.prompt_frame import PromptFrame
from export.runs import export_run
from export.writer_endpoints import WriterEndpoints
from export.writer_steps import WriterSteps
from tests.export.writers import PREFIX, TOKENIZER, make_writer, make_writer_run
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import TextGenerator

_PROMPTS = ["snow", "今天天气", "the sun rises", "a"]
_SETTINGS = {
    "max_new_tokens": 8,
    "min_new_tokens": 0,
    "temperature": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "seed": 0,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("writer")
    task = make_writer("gpt_2")
    run = make_writer_run(task, folder / "run")
    report = export_run(run.path, "saved_model", folder / "out")
    with contextlib.chdir(folder / "out"):
        namespace = {}
        exec(_code((folder / "out" / "how_to_use.md").read_text(encoding="utf-8")), namespace)
    return task, folder / "out", report, namespace["signatures"]


def _code(instructions: str) -> str:
    """The program in the instructions; it loads the model as its ``signatures``."""
    (code,) = re.findall(r"```python\n(.*?)```", instructions, re.DOTALL)
    return code


@pytest.fixture(scope="module")
def generate(exported):
    def call(prompts: list[str], **settings) -> dict[str, np.ndarray]:
        values = {name: tf.constant(value) for name, value in (_SETTINGS | settings).items()}
        answer = exported[3]["generate"](prompt=tf.constant(prompts), **values)
        return {name: value.numpy() for name, value in answer.items()}

    return call


def _generated(task, prompts: list[str], **settings) -> list[str]:
    generator = TextGenerator(task, TOKENIZER, jit_compile=False)
    return [answer.texts[0] for answer in generator.generate(prompts, GenerationConfig(max_new_tokens=8, **settings))]


def _texts(answer: dict) -> list[str]:
    return [text.decode() for text in answer["text"]]


def test_it_writes_the_tokens_of_the_keras_model(exported):
    _, _, report, _ = exported
    assert report["num_texts"] >= 64
    assert report["equal_texts"] + report["ties"] == report["num_texts"]
    assert report["max_score_difference"] <= 1e-3


def test_greedy_search_is_the_generator_s(exported, generate):
    expected = _generated(exported[0], _PROMPTS)
    assert _texts(generate(_PROMPTS)) == expected
    by_default = exported[3]["serving_default"](prompt=tf.constant(_PROMPTS[:2]))["token_ids"].numpy()
    assert by_default[:, :8].tolist() == generate(_PROMPTS)["token_ids"][:2].tolist()


def test_sampling_is_the_generator_s(exported, generate):
    settings = {"temperature": 0.9, "top_k": 20, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 1.3, "seed": 5}
    expected = _generated(exported[0], _PROMPTS, strategy="sample", **settings)
    assert _texts(generate(_PROMPTS, **settings)) == expected
    assert _texts(generate(_PROMPTS, **settings | {"seed": 6})) != expected


def test_beam_search_is_the_generator_s(exported):
    settings = {"max_new_tokens": 8, "min_new_tokens": 0, "length_penalty": 0.8, "repetition_penalty": 1.0}
    values = {name: tf.constant(value) for name, value in settings.items()}
    answer = exported[3]["generate_beam"](prompt=tf.constant(_PROMPTS), **values)
    beams = {"strategy": "beam", "num_beams": 4, "length_penalty": 0.8}
    expected = [_generated(exported[0], [prompt], **beams)[0] for prompt in _PROMPTS]
    assert [text.decode() for text in answer["text"].numpy()] == expected


def test_what_stands_beside_a_prompt_changes_nothing(generate):
    prompts = [*_PROMPTS, "x" * 500, "", *_PROMPTS, "the last of them"]
    settings = {"temperature": 1.0, "seed": 9}
    together = _texts(generate(prompts, **settings))
    assert together == [_texts(generate([prompt], **settings))[0] for prompt in prompts]


def test_what_was_cut_is_told(generate):
    answer = generate(["snow", "x" * 500], max_new_tokens=8)
    assert answer["prompt_was_cut"].tolist() == [False, True]
    assert answer["token_ids"].shape == (2, 8)
    ended = (answer["token_ids"] == TOKENIZER.end_id).any(axis=1)
    assert answer["was_cut"].tolist() == (~ended).tolist()


def test_more_tokens_than_the_model_reads_are_not_written(exported, generate):
    assert generate(["snow"], max_new_tokens=10_000)["token_ids"].shape == (1, 31)


def test_scores_are_those_of_the_full_model(exported):
    task, _, _, signatures = exported
    answer = signatures["score"](text=tf.constant(["snow", "今天很好", ""]))
    ids = TOKENIZER.encode(["今天很好"])[0]
    logits = task({"token_ids": np.array([[TOKENIZER.start_id, *ids[:-1]]], np.int32)})["next_token"].numpy()[0]
    expected = tf.nn.log_softmax(logits).numpy()[np.arange(len(ids)), ids]
    np.testing.assert_allclose(answer["log_probabilities"][1], expected, atol=1e-4)
    np.testing.assert_allclose(answer["perplexity"][1], np.exp(-expected.mean()), rtol=1e-4)
    assert not answer["log_probabilities"][0, 4:].numpy().any()
    assert answer["perplexity"][2] == 1.0


def test_log_probabilities_of_what_is_written_are_its_scores(exported, generate):
    answer = generate(["snow"])
    rows = np.array([[TOKENIZER.start_id, *TOKENIZER.encode(["snow"])[0], *answer["token_ids"][0][:-1]]], np.int32)
    log_probabilities = tf.nn.log_softmax(exported[0]({"token_ids": rows})["next_token"][0]).numpy()[-8:]
    expected = log_probabilities[np.arange(8), answer["token_ids"][0]].sum()
    np.testing.assert_allclose(answer["log_probability"][0], expected, atol=1e-3)


def test_ids_give_what_their_text_gives(exported, generate):
    signatures = exported[3]
    ids = signatures["tokenize"](text=tf.constant(_PROMPTS))["token_ids"]
    settings = {name: tf.constant(value) for name, value in _SETTINGS.items()}
    answer = signatures["generate_ids"](token_ids=ids, **settings)
    assert [text.decode() for text in answer["text"].numpy()] == _texts(generate(_PROMPTS))
    assert signatures["detokenize"](token_ids=ids)["text"].numpy()[1].decode() == _PROMPTS[1]


def test_nothing_is_left_to_fill_in_of_the_instructions(exported):
    instructions = (exported[1] / "how_to_use.md").read_text(encoding="utf-8")
    assert not re.search(r"PROMPT|SETTINGS|NUM_TOKENS|SCORE|CUT|FRAME", instructions)
    assert 'curl -d \'{"instances": ["snow falls."]}\'' in instructions


@pytest.mark.parametrize("model", ["t5", "lstm"])
def test_every_family_writes(model):
    task = make_writer(model)
    frame = PromptFrame(PREFIX, "")
    signatures = WriterEndpoints(WriterSteps(task), TOKENIZER, frame).signatures()
    answer = signatures["serving_default"](tf.constant(["snow", "今天"]))
    expected = TextGenerator(task, TOKENIZER, jit_compile=False).generate(
        [f"{PREFIX}snow", f"{PREFIX}今天"], GenerationConfig(max_new_tokens=answer["token_ids"].shape[1])
    )
    assert [text.decode() for text in answer["text"].numpy()] == [one.texts[0] for one in expected]


def test_an_encoder_decoder_scores_targets_with_their_end():
    task = make_writer("t5")
    score = WriterEndpoints(WriterSteps(task), TOKENIZER, PromptFrame()).signatures()["score"]
    answer = score(tf.constant(["snow", "a longer source"]), tf.constant(["sun", "今天"]))
    target = [*TOKENIZER.encode(["今天"])[0], TOKENIZER.end_id]
    source = [*TOKENIZER.encode(["a longer source"])[0], TOKENIZER.end_id]
    inputs = {"token_ids": np.array([source], np.int32), "decoder_token_ids": np.array([[0, *target[:-1]]], np.int32)}
    expected = tf.nn.log_softmax(task(inputs)["next_token"][0]).numpy()[np.arange(7), target]
    assert answer["token_ids"][1].numpy().tolist() == target
    np.testing.assert_allclose(answer["log_probabilities"][1], expected, atol=1e-4)
