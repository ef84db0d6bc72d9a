"""Encoders for the tests of the tasks, and texts for them in rows of their own and packed."""

import keras
import numpy as np

from tfplm.models.build import Encoder, build_model
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig

TRANSFORMER = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": 8}
ENCODERS = {
    "bert": BertConfig(**TRANSFORMER),
    "gpt": GptConfig(**TRANSFORMER),
    "lstm": LstmConfig(embedding_dim=8, hidden_dim=8, initializer_range=0.3),
}
_RANDOM = np.random.default_rng(0)
TEXTS = [_RANDOM.integers(5, 20, length).astype("int32") for length in (3, 4, 1, 8)]
# Two rows: the first three texts, and the last with no room for others.
PACKED = {
    "token_ids": np.stack([np.concatenate([*TEXTS[:3]]), TEXTS[3]]),
    "packing_ids": np.array([[1, 1, 1, 2, 2, 2, 2, 3], [1] * 8], "int32"),
    "position_ids": np.array([[0, 1, 2, 0, 1, 2, 3, 0], [*range(8)]], "int32"),
    "example_starts": np.array([[0, 3, 7], [0, 0, 0]], "int32"),
}
UNPACKED = {"token_ids": np.stack([np.pad(text, (0, 8 - len(text))) for text in TEXTS])}


def build_encoder(family: str) -> Encoder:
    return build_model(ENCODERS[family], 20)


def randomize(model: keras.Model) -> keras.Model:
    """Draws all weights anew and large: those of a new model hardly tell positions apart."""
    generator = np.random.default_rng(1)
    model.set_weights([generator.normal(scale=0.3, size=w.shape) for w in model.get_weights()])
    return model
