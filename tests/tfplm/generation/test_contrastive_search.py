import numpy as np
import pytest

from tests.tfplm.generation.toy_writers import END, MarkovWriter, softmax
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import DecodingLoop


def contrastive_reference(writer, prompt, candidates, alpha, length) -> list[int]:
    text, before = [], [writer.next_vector(prompt)]
    for _ in range(length):
        logits = writer.next_logits(prompt + text)
        logits[0] = -np.inf  # padding is never written
        probabilities = softmax(logits)
        likely = np.argsort(-probabilities)[:candidates]
        vectors = [writer.next_vector([*prompt, *text, int(token)]) for token in likely]
        scores = [
            (1 - alpha) * probabilities[token] - alpha * max(vector @ other for other in before)
            for token, vector in zip(likely, vectors, strict=True)
        ]
        best = int(np.argmax(scores))
        text.append(int(likely[best]))
        before.append(vectors[best])
        if text[-1] == END:
            break
    return text


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_tokens_are_those_of_the_formula(alpha):
    writer = MarkovWriter(10, seed=2, spread=0.7)
    prompts = [[3, 4], [5], [6, 7, 8]]
    settings = GenerationConfig(strategy="contrastive", top_k=5, penalty_alpha=alpha, max_new_tokens=10)
    written = DecodingLoop(writer, jit_compile=False).write(prompts, settings, writer.vocabulary)
    found = [texts[0].token_ids.tolist() for texts in written]
    assert found == [contrastive_reference(writer, prompt, 5, alpha, 10) for prompt in prompts]
    assert any(len(tokens) > 3 for tokens in found)
