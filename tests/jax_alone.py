"""Trains a BERT and a GPT on Keras's JAX backend with TensorFlow out of reach; prints every epoch's loss as JSON."""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"


class NoTensorFlow:
    """Answers every import of TensorFlow as a machine without it does."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_text", "tf_keras"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, NoTensorFlow())

import numpy as np  # noqa: E402 – behind the settings

from tfplm import feature_names as names  # noqa: E402
from tfplm.models.build import build_model  # noqa: E402
from tfplm.models.configuration import BertConfig, GptConfig  # noqa: E402
from tfplm.objectives import CausalLmConfig, MaskedLmConfig  # noqa: E402
from tfplm.tasks.causal_language_model import CausalLanguageModel  # noqa: E402
from tfplm.tasks.masked_language_model import MaskedLanguageModel  # noqa: E402
from tfplm.training_configuration import OptimizerConfig  # noqa: E402
from trainers.optimizers import build_optimizer  # noqa: E402

VOCABULARY, ROWS, SEQUENCE, PREDICTIONS = 60, 8, 16, 3
SIZES = {"num_layers": 1, "hidden_dim": 32, "num_heads": 2, "intermediate_dim": 64, "max_sequence_length": SEQUENCE}

random = np.random.default_rng(0)
token_ids = random.integers(5, VOCABULARY, (ROWS, SEQUENCE)).astype("int32")
row_seeds = np.arange(ROWS, dtype="int32")


def losses(task, features: dict, targets: dict) -> list[float]:
    """Of every epoch of one batch."""
    task.compile_for_training(build_optimizer(OptimizerConfig(learning_rate=1e-2), total_steps=20))
    features = {**features, names.TOKEN_IDS: token_ids, names.ROW_SEEDS: row_seeds}
    return task.fit(features, targets, epochs=6, batch_size=ROWS, verbose=0).history["loss"]


bert = MaskedLanguageModel(build_model(BertConfig(**SIZES), VOCABULARY), MaskedLmConfig())
positions = np.tile(np.arange(PREDICTIONS, dtype="int32"), (ROWS, 1))
masked = random.integers(5, VOCABULARY, (ROWS, PREDICTIONS)).astype("int32")
config = GptConfig(**SIZES, num_key_value_heads=1, position_embedding="rotary", norm="rms_norm", activation="swiglu")
gpt = CausalLanguageModel(build_model(config, VOCABULARY), CausalLmConfig())
curves = {
    "bert": losses(bert, {names.MASK_POSITIONS: positions}, {names.MASKED_LM: masked}),
    "gpt": losses(gpt, {}, {names.NEXT_TOKEN: np.roll(token_ids, -1, axis=1)}),
}
print(json.dumps(curves))
