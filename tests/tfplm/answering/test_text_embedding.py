import numpy as np
import pytest

from tests.trainers.task_kinds.small_runs import tokenizer_of
from tfplm.answering.answerer import answer_texts
from tfplm.answering.registry import answerer_for
from tfplm.models.build import build_model
from tfplm.models.configuration import LstmConfig
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.text_embedding import TextEmbedder


@pytest.fixture(scope="module")
def answerer():
    tokenizer = tokenizer_of(["rain", "snow", "雨"])
    encoder = build_model(LstmConfig(embedding_dim=4, hidden_dim=4), tokenizer.vocabulary_size)
    return answerer_for(TextEmbedder(encoder, TextEmbeddingConfig(normalize=True)), tokenizer, 8)


def test_every_text_has_a_vector_of_the_length_one(answerer):
    vectors = answer_texts(answerer, {"text": ["rain", "", "雨 snow"]}, batch_size=2)["embedding"]
    assert (vectors.shape, vectors.dtype) == ((3, 8), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    assert next(answerer.records({"embedding": vectors}))["embedding"] == vectors[0].tolist()


def test_models_agree_by_the_mean_cosine_of_their_vectors(answerer):
    vectors = np.eye(4)
    turned = vectors.copy()
    turned[0] = [0, 1, 0, 0]
    assert answerer.agreement({"embedding": vectors}, {"embedding": 3 * vectors}) == 1.0
    assert answerer.agreement({"embedding": vectors}, {"embedding": turned}) == 0.75
    assert answerer.agreement({"embedding": np.zeros((2, 4))}, {"embedding": np.zeros((2, 4))}) == 1.0
