import itertools

import numpy as np
import pytest

from tests.tfplm.generation.toy_writers import END, MarkovWriter, log_softmax
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import DecodingLoop

SIZE, LENGTH = 5, 4  # 4 tokens that are written, the end among them


def all_texts(writer: MarkovWriter, prompt: list[int], length_penalty: float) -> list[tuple[float, list[int]]]:
    """Score and tokens of every text of at most LENGTH tokens, the best first."""
    scored = []
    for tokens in itertools.product(range(1, SIZE), repeat=LENGTH):
        ends = tokens.index(END) + 1 if END in tokens else LENGTH
        text = list(tokens[:ends])
        told = [log_softmax(writer.next_logits(prompt + text[:i]))[text[i]] for i in range(ends)]
        scored.append((sum(told) / ends**length_penalty, text))
    unique = {tuple(text): score for score, text in scored}
    return sorted(((score, list(text)) for text, score in unique.items()), reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0, -1.0])
def test_with_beams_for_all_beginnings_it_finds_what_an_exhaustive_search_finds(length_penalty):
    writer = MarkovWriter(SIZE, seed=1)
    prompts = [[3, 2], [2], [4, 4, 3]]
    settings = GenerationConfig(
        strategy="beam", num_beams=64, num_samples=5, max_new_tokens=LENGTH, length_penalty=length_penalty,
        log_probabilities=True,
    )  # fmt: skip
    written = DecodingLoop(writer, jit_compile=False).write(prompts, settings, writer.vocabulary)
    for prompt, texts in zip(prompts, written, strict=True):
        best = all_texts(writer, prompt, length_penalty)[:5]
        assert [text.token_ids.tolist() for text in texts] == [tokens for _, tokens in best]
        scores = [text.log_probabilities.sum() / len(text.token_ids) ** length_penalty for text in texts]
        np.testing.assert_allclose(scores, [score for score, _ in best], rtol=1e-4)


def beam_reference(writer, prompt, beams, length_penalty, most) -> list[int]:
    """One prompt at a time in plain Python, as transformers does it with early_stopping=False."""
    running, finished = [(0.0, [])], []
    for length in range(1, most + 1):
        candidates = [
            (total + told, [*text, token])
            for total, text in running
            for token, told in enumerate(log_softmax(writer.next_logits(prompt + text)))
            if token != 0
        ]
        candidates = sorted(candidates, reverse=True)[: 2 * beams]
        for total, text in candidates[:beams]:
            if text[-1] == END or length == most:
                finished.append((total / length**length_penalty, text))
        finished = sorted(finished, reverse=True)[:beams]
        running = [(total, text) for total, text in candidates if text[-1] != END][:beams]
        if len(finished) == beams and finished[-1][0] >= running[0][0] / length**length_penalty:
            break
    return finished[0][1]


@pytest.mark.parametrize(("num_prompts", "beams"), [(7, 3), (4, 4), (2, 2)])  # rows are 8, 4 and 2
def test_few_beams_give_what_a_search_in_python_gives_and_ended_prompts_wait_for_the_others(num_prompts, beams):
    writer = MarkovWriter(9, seed=4, spread=1.5)
    prompts = [[token] for token in range(2, 2 + num_prompts)]
    settings = GenerationConfig(strategy="beam", num_beams=beams, max_new_tokens=12, length_penalty=0.7)
    written = DecodingLoop(writer).write(prompts, settings, writer.vocabulary)
    found = [texts[0].token_ids.tolist() for texts in written]
    assert found == [beam_reference(writer, prompt, beams, 0.7, 12) for prompt in prompts]
    assert num_prompts < 7 or len({len(tokens) for tokens in found}) > 1
