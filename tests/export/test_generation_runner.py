import numpy as np
import pytest

from export import generation_runner
from export.generation_runner import ByteText, Sampler, SentencePieceText, pieces
from export.writer_tflite import tokenizer_settings
from tests.export.writers import TOKENIZER
from tfplm.tokenizers.configuration import SentencePieceConfig
from tfplm.tokenizers.loading import train_tokenizer

_TEXTS = ["The sun rises.", "今天天气很好，42 次！", "a\tb  c\nd ▁ \x10 👍🏽", ""]
_LOGITS = np.log(np.array([0.05, 0.5, 0.15, 0.3]))


def _frequencies(sampler: Sampler, draws: int = 2000) -> np.ndarray:
    return np.bincount([sampler(_LOGITS) for _ in range(draws)], minlength=4) / draws


def test_temperature_0_takes_the_likeliest_token():
    assert Sampler()(_LOGITS) == 1


def test_drawn_tokens_have_the_model_s_frequencies():
    np.testing.assert_allclose(_frequencies(Sampler(temperature=1.0)), np.exp(_LOGITS), atol=0.04)


def test_top_k_and_top_p_leave_out_the_unlikely():
    assert (_frequencies(Sampler(1.0, top_k=2)) > 0).tolist() == [False, True, False, True]
    assert (_frequencies(Sampler(1.0, top_p=0.85)) > 0).tolist() == [False, True, True, True]
    assert (_frequencies(Sampler(1.0, top_p=0.4)) > 0).tolist() == [False, True, False, False]


def test_a_forbidden_token_is_not_drawn():
    assert {Sampler(1.0, seed=seed)(np.array([-np.inf, 0.0, -np.inf])) for seed in range(20)} == {1}


def test_the_same_seed_draws_the_same_tokens():
    first, second = Sampler(1.0, seed=4), Sampler(1.0, seed=4)
    assert [first(_LOGITS) for _ in range(50)] == [second(_LOGITS) for _ in range(50)]


def test_bytes_are_those_of_the_tokenizer(tmp_path):
    text = ByteText(tmp_path, {})
    assert [text.encode(one) for one in _TEXTS] == [ids.tolist() for ids in TOKENIZER.encode(_TEXTS)]
    assert [text.decode(text.encode(one)) for one in _TEXTS] == _TEXTS


def test_sentencepiece_is_that_of_the_tokenizer(tmp_path):
    config = SentencePieceConfig(vocabulary_size=300, num_sentinels=4)
    lines = [f"the sun rises and snow falls {number}\n今天天气很好" for number in range(99)]
    tokenizer = train_tokenizer(lines, config)
    tokenizer.save(tmp_path)
    text = SentencePieceText(tmp_path, tokenizer_settings(tokenizer))
    assert [text.encode(one) for one in _TEXTS] == [ids.tolist() for ids in tokenizer.encode(_TEXTS)]
    assert [text.decode(text.encode(one)) for one in _TEXTS] == _TEXTS
    assert text.decode([1, 3, int(tokenizer.sentinel_ids[0])]) == ""


def test_pieces_are_whole_characters():
    ids = TOKENIZER.encode(["a今b"])[0].tolist()
    assert list(pieces(iter(ids), TOKENIZER.decode)) == ["a", "", "", "今", "b", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "prompt is empty"),
        (["a", "--max-new-tokens", "0"], "--max-new-tokens is below 1"),
        (["a", "--temperature", "-1"], "--temperature is below 0"),
        (["a", "--temperature", "nan"], "--temperature is below 0"),
        (["a", "--top-p", "0"], "--top-p is not over 0"),
        (["a", "--top-k", "-1"], "--top-k is below 0"),
        (["a", "--model", "none.tflite"], "there is no none.tflite"),
    ],
)
def test_a_wrong_request_is_explained(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        generation_runner.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
