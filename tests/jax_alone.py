"""Trains a small BERT on Keras's JAX backend with TensorFlow out of reach; prints the losses of the epochs as JSON."""

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
from tfplm.experiment import OptimizerConfig  # noqa: E402
from tfplm.models.build import build_model  # noqa: E402
from tfplm.models.configuration import BertConfig  # noqa: E402
from tfplm.objectives import MaskedLmConfig  # noqa: E402
from tfplm.tasks.masked_language_model import MaskedLanguageModel  # noqa: E402
from trainers.optimizers import build_optimizer  # noqa: E402

VOCABULARY, ROWS, SEQUENCE, PREDICTIONS = 60, 8, 16, 3

config = BertConfig(num_layers=1, hidden_dim=32, num_heads=2, intermediate_dim=64, max_sequence_length=SEQUENCE)
task = MaskedLanguageModel(build_model(config, VOCABULARY), MaskedLmConfig())
task.compile_for_training(build_optimizer(OptimizerConfig(learning_rate=1e-2), total_steps=20))
random = np.random.default_rng(0)
features = {
    names.TOKEN_IDS: random.integers(5, VOCABULARY, (ROWS, SEQUENCE)).astype("int32"),
    names.ROW_SEEDS: np.arange(ROWS, dtype="int32"),
    names.MASK_POSITIONS: np.tile(np.arange(PREDICTIONS, dtype="int32"), (ROWS, 1)),
}
targets = {names.MASKED_LM: random.integers(5, VOCABULARY, (ROWS, PREDICTIONS)).astype("int32")}
print(json.dumps(task.fit(features, targets, epochs=6, batch_size=ROWS, verbose=0).history["loss"]))
