import numpy as np
import pytest

from tests.tfplm.generation.toy_writers import MarkovWriter, ScriptWriter
from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import TextGenerator
from tfplm.tokenizers.bytes import ByteTokenizer

TOKENIZER = ByteTokenizer()
TEXT = "Hello 世界! Bye.\nMore"


def script(text: str = TEXT) -> list[int]:
    return [*TOKENIZER.encode([text])[0], TOKENIZER.end_id]


def generator(writer=None, **options) -> TextGenerator:
    return TextGenerator(writer or ScriptWriter(script()), TOKENIZER, jit_compile=False, **options)


def test_a_text_ends_with_the_end_token():
    (generation,) = generator().generate(["Say"], GenerationConfig(log_probabilities=True))
    assert generation.texts == [TEXT]
    assert generation.token_ids[0].tolist() == script()
    assert generation.was_cut == [False]
    assert generation.log_probabilities[0].shape == (len(script()),)


def test_a_text_that_is_too_long_is_cut_and_says_so():
    (generation,) = generator().generate(["Say"], GenerationConfig(max_new_tokens=5))
    assert generation.texts == ["Hello"]
    assert generation.was_cut == [True]
    assert generation.log_probabilities is None


@pytest.mark.parametrize(("stop", "text"), [(["界"], "Hello 世"), (["Bye", "\n"], "Hello 世界! "), (["Hello"], "")])
def test_a_stop_string_ends_the_text_exactly_before_it(stop, text):
    settings = GenerationConfig(stop=stop, log_probabilities=True)
    (generation,) = generator().generate(["Say"], settings)
    assert generation.texts == [text]
    assert generation.was_cut == [False]
    assert TOKENIZER.decode(generation.token_ids[0]) == text + stop[0]
    assert generation.log_probabilities[0].shape == generation.token_ids[0].shape


def test_a_stop_string_ends_the_loop_early():
    writer = MarkovWriter(260)
    writer.last[:, TOKENIZER.end_id] = -50.0
    writer.last[:, TOKENIZER.encode(["z"])[0][0]] = 50.0
    text_generator = generator(writer)
    calls = []
    advance = text_generator._loop.advance
    text_generator._loop.advance = lambda *arguments: calls.append(arguments) or advance(*arguments)
    (generation,) = text_generator.generate(["a"], GenerationConfig(stop=["zzz"], max_new_tokens=400))
    assert generation.texts == [""]
    assert len(calls) == 1


@pytest.mark.parametrize("stop", [[], ["Bye"]])
def test_a_stream_is_the_text_in_pieces_of_whole_characters(stop):
    settings = GenerationConfig(stop=stop)
    pieces = list(generator().stream("Say", settings))
    assert "".join(pieces) == generator().generate(["Say"], settings)[0].texts[0]
    assert len(pieces) > 2
    assert "\ufffd" not in "".join(pieces)


def test_a_stream_of_beam_search_comes_at_once():
    assert list(generator().stream("Say", GenerationConfig(strategy="beam", num_beams=2))) == [TEXT]


def test_prompts_in_several_batches_keep_their_order_and_their_texts():
    writer = MarkovWriter(260, seed=1)
    prompts = ["one", "中", "a longer prompt than the others", "two", "three"]
    settings = GenerationConfig(strategy="sample", num_samples=2, max_new_tokens=8, seed=4)
    in_twos = generator(writer, batch_size=2).generate(prompts, settings)
    assert [generation.prompt for generation in in_twos] == prompts
    alone = generator(writer).generate([prompts[2]], settings)[0]
    assert in_twos[2].texts == alone.texts
    assert len(set(alone.texts)) == 2


def test_ids_beyond_the_tokenizer_and_special_ids_are_never_written():
    writer = MarkovWriter(300)
    writer.last[:, [0, 2, 3, *range(260, 300)]] = 50.0
    (generation,) = generator(writer).generate(["a"], GenerationConfig(max_new_tokens=32))
    assert set(generation.token_ids[0].tolist()) <= {TOKENIZER.end_id, *range(4, 260)}


@pytest.mark.parametrize(("is_encoder_decoder", "expected"), [(False, [3, 69, 70]), (True, [69, 70, 1])])
def test_a_decoder_reads_from_the_start_token_and_an_encoder_up_to_the_end_token(is_encoder_decoder, expected):
    text_generator = generator(ScriptWriter(script(), is_encoder_decoder=is_encoder_decoder))
    read, start = [], text_generator._loop.start
    text_generator._loop.start = lambda rows, *more: read.extend(rows) or start(rows, *more)
    assert text_generator.generate(["AB"])[0].texts == [TEXT]
    np.testing.assert_array_equal(read, [expected])


@pytest.mark.parametrize("is_encoder_decoder", [False, True])
def test_an_empty_prompt_is_an_error_that_says_so(is_encoder_decoder):
    with pytest.raises(UserError, match="The prompt '' is empty"):
        generator(ScriptWriter(script(), is_encoder_decoder=is_encoder_decoder)).generate(["a", ""])


def test_what_is_longer_than_the_model_is_told_with_the_numbers():
    with pytest.raises(UserError) as error:
        generator(ScriptWriter(script(), max_sequence_length=40)).generate(["a" * 9], GenerationConfig())
    assert "has 10 tokens, the start token counted, and max_new_tokens is 128: together 138." in str(error.value)
    assert "40 at most" in str(error.value)
    assert "Set max_new_tokens=30 or less" in str(error.value)
    seq2seq = generator(ScriptWriter(script(), max_sequence_length=40, is_encoder_decoder=True))
    with pytest.raises(UserError, match="has 41 tokens"):
        seq2seq.generate(["a" * 40], GenerationConfig(max_new_tokens=8))
    with pytest.raises(UserError, match="Set max_new_tokens=40 or less"):
        seq2seq.generate(["a"])


def test_a_stream_tells_of_mistakes_before_the_first_piece_is_asked_for():
    with pytest.raises(UserError):
        generator().stream("")


def test_no_prompts_give_no_texts():
    assert generator().generate([]) == []
