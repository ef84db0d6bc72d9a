import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.generation.toy_writers import END, MarkovWriter, log_softmax
from tfplm import feature_names as names
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import DecodingLoop
from tfplm.generation.plan import Vocabulary
from tfplm.models.build import build_model
from tfplm.models.configuration import GptConfig, LstmConfig, T5Config
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel

SIZE, LENGTH = 24, 10
VOCABULARY = Vocabulary(SIZE, END, (0, 2, 3))
PROMPTS = [[3, 5, 6], [3, 9], [3, 10, 11, 12, 13, 14, 15, 16], [3, 7, 7, 7, 8], [3, 4]]


SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": 64}


def gpt() -> CausalLanguageModel:
    # weights so large that the tokens before matter
    config = GptConfig(**SIZES, initializer_range=0.5)
    return CausalLanguageModel(build_model(config, SIZE), CausalLmConfig())


def lstm() -> CausalLanguageModel:
    config = LstmConfig(embedding_dim=16, hidden_dim=16, bidirectional=False, initializer_range=1.0)
    return CausalLanguageModel(build_model(config, SIZE), CausalLmConfig())


def t5() -> Seq2SeqLanguageModel:
    config = T5Config(**SIZES, head_dim=8, num_buckets=8, max_distance=16, initializer_factor=3.0)
    return Seq2SeqLanguageModel(build_model(config, SIZE), Seq2SeqLmConfig())


def tokens(written) -> list[list[list[int]]]:
    return [[text.token_ids.tolist() for text in texts] for texts in written]


def logits_of_all_tokens(task, written: list[list[int]]) -> np.ndarray:
    """What the model says before each written token when it reads all at once: (prompts, LENGTH, vocabulary)."""
    columns = max(map(len, PROMPTS)) + LENGTH
    if task.is_encoder_decoder:
        inputs = {names.TOKEN_IDS: PROMPTS, names.DECODER_TOKEN_IDS: [[0, *tokens[:-1]] for tokens in written]}
    else:
        inputs = {names.TOKEN_IDS: [prompt + tokens for prompt, tokens in zip(PROMPTS, written, strict=True)]}
    padded = {name: np.zeros((len(rows), columns), "int32") for name, rows in inputs.items()}
    for name, rows in inputs.items():
        for number, row in enumerate(rows):
            padded[name][number, : len(row)] = row
    logits = ops.convert_to_numpy(task(padded)[names.NEXT_TOKEN]).astype("float64")
    first = [0 if task.is_encoder_decoder else len(prompt) - 1 for prompt in PROMPTS]
    return np.stack([row[start : start + LENGTH] for row, start in zip(logits, first, strict=True)])


@pytest.mark.parametrize("build", [gpt, lstm, t5])
def test_greedy_tokens_are_the_likeliest_when_everything_is_read_again_for_prompts_of_all_lengths(build):
    keras.utils.set_random_seed(1)
    task = build()
    settings = GenerationConfig(max_new_tokens=LENGTH, log_probabilities=True)
    texts = [texts[0] for texts in DecodingLoop(task).write(PROMPTS, settings, VOCABULARY)]
    every = logits_of_all_tokens(task, [text.token_ids.tolist() for text in texts])
    for text, logits in zip(texts, every, strict=True):
        logits = logits[: len(text.token_ids)]
        told = [log_softmax(row)[token] for row, token in zip(logits, text.token_ids, strict=True)]
        np.testing.assert_allclose(text.log_probabilities, told, atol=1e-4)
        logits[:, VOCABULARY.never] = -np.inf
        np.testing.assert_array_equal(text.token_ids, logits.argmax(axis=-1))
        assert len(logits) == LENGTH or text.has_ended
    assert len({tuple(text.token_ids) for text in texts}) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "sample", "num_samples": 2, "seed": 3, "top_p": 0.9},
        {"strategy": "beam", "num_beams": 3, "length_penalty": 0.5},
        {"strategy": "contrastive"},
        {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 4},
    ],
)
def test_a_prompt_gets_in_a_batch_what_it_gets_alone(settings):
    writer, config = MarkovWriter(SIZE, seed=5), GenerationConfig(max_new_tokens=9, **settings)
    loop = DecodingLoop(writer, jit_compile=False)
    together = loop.write(PROMPTS, config, VOCABULARY)
    alone = [loop.write([prompt], config, VOCABULARY)[0] for prompt in PROMPTS]
    assert tokens(together) == tokens(alone)


def test_the_task_itself_writes_and_follows_its_weights():
    task = gpt()
    settings = GenerationConfig(max_new_tokens=6)
    before = task.generate(PROMPTS, VOCABULARY, settings)
    task.set_weights([-2.0 * weight for weight in task.get_weights()])
    after = task.generate(PROMPTS, VOCABULARY, settings)
    assert tokens(before) != tokens(after)
    assert tokens(after) == tokens(DecodingLoop(task, jit_compile=False).write(PROMPTS, settings, VOCABULARY))


def test_one_trace_serves_all_lengths_of_a_bucket_and_all_values_of_the_settings():
    writer = MarkovWriter(SIZE)
    loop = DecodingLoop(writer)
    on = {"strategy": "sample", "min_p": 0.1}
    loop.write([[3] * 5], GenerationConfig(**on, temperature=0.5, top_k=3, top_p=0.9, max_new_tokens=4), VOCABULARY)
    traced = dict(writer.num_traces)
    for length in range(1, 17):
        values = {"temperature": 1.0 + 0.1 * length, "top_k": length, "top_p": 0.99 - 0.05 * length, "seed": length}
        config = GenerationConfig(**on, **values, max_new_tokens=length)
        (text,) = loop.write([[3] * length], config, VOCABULARY)[0]
        assert len(text.token_ids) <= length
    assert writer.num_traces == traced
    loop.write([[3] * 17], GenerationConfig(**on, temperature=0.5, top_k=3, top_p=0.9), VOCABULARY)
    assert writer.num_traces["prefill"] > traced["prefill"]


def test_writing_in_segments_gives_the_same_as_writing_at_once():
    writer, config = MarkovWriter(SIZE, seed=1), GenerationConfig(strategy="sample", max_new_tokens=20, seed=9)
    loop = DecodingLoop(writer, jit_compile=False)
    continuation = loop.start(PROMPTS, config, VOCABULARY)
    while not continuation.is_done:
        continuation.advance(3)
    assert tokens(continuation.written()) == tokens(loop.write(PROMPTS, config, VOCABULARY))


def test_it_stops_with_the_last_row_and_at_the_most_tokens():
    writer = MarkovWriter(SIZE, seed=1)
    writer.last[:, END] = -50.0
    writer.last[7, END] = 50.0
    writer.last[5, 7] = 30.0
    loop = DecodingLoop(writer, jit_compile=False)
    continuation = loop.start([[7], [5]], GenerationConfig(max_new_tokens=200), VOCABULARY)
    continuation.advance(200)
    assert tokens(continuation.written()) == [[[END]], [[7, END]]]
    assert continuation.is_done
    assert int(ops.convert_to_numpy(continuation._carry["state"][names.INDEX])) == 16 + 2
    (text,) = loop.write([[9]], GenerationConfig(max_new_tokens=5, min_new_tokens=5), VOCABULARY)[0]
    assert len(text.token_ids) == 5
    assert not text.has_ended


def test_a_text_that_may_write_nothing_more_ends():
    writer = MarkovWriter(4)
    vocabulary = Vocabulary(4, END, (0, 2))  # the end and token 3 are left
    config = GenerationConfig(max_new_tokens=9, no_repeat_ngram_size=1, min_new_tokens=9)
    (text,) = DecodingLoop(writer, jit_compile=False).write([[2]], config, vocabulary)[0]
    assert text.token_ids.tolist() == [3, END]
