"""Small tasks of every family, with batches that they can be trained on in moments."""

import keras
import numpy as np
import tensorflow as tf

from tests.tfplm.tasks.small_encoders import TRANSFORMER
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig, TextClassificationConfig
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.training_configuration import OptimizerConfig
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel

CLASS_NAMES = ["a", "b", "c"]
_RANDOM = np.random.default_rng(0)
TOKENS = _RANDOM.integers(5, 20, (8, 8)).astype("int32")
CONFIGS = {
    "bert": BertConfig(**TRANSFORMER | {"num_layers": 2}),
    "shared": BertConfig(**TRANSFORMER | {"num_layers": 3}, share_layers=True, embedding_dim=8, norm_first=True),
    "lstm": LstmConfig(embedding_dim=8, hidden_dim=8, num_layers=2, bidirectional=False),
    "gpt": GptConfig(**TRANSFORMER | {"num_layers": 2}),
    "t5": T5Config(
        num_layers=2,
        num_decoder_layers=1,
        num_heads=2,
        head_dim=8,
        hidden_dim=16,
        intermediate_dim=32,
        tie_embeddings=True,
    ),
    "lstm_seq2seq": LstmSeq2SeqConfig(embedding_dim=8, hidden_dim=8, num_layers=2),
}


def small_task(family: str) -> Task:
    """A classifier, or of an encoder-decoder what writes."""
    keras.utils.set_random_seed(7)
    encoder = build_model(CONFIGS[family], 20)
    if family in ("t5", "lstm_seq2seq"):
        return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig())
    return TextClassifier(encoder, TextClassificationConfig(pooling="encoder"), CLASS_NAMES)


def small_writer() -> CausalLanguageModel:
    """A GPT whose token embedding is its head."""
    keras.utils.set_random_seed(7)
    return CausalLanguageModel(build_model(CONFIGS["gpt"], 20), CausalLmConfig())


def batch_of(task: Task) -> tuple:
    """Features, targets and weights that ``score`` takes."""
    seeds = np.arange(8, dtype="int32")
    if isinstance(task, TextClassifier):
        return {"token_ids": TOKENS, "row_seeds": seeds}, np.arange(8, dtype="int32") % 3, np.ones(8, "float32")
    features = {"token_ids": TOKENS, "decoder_token_ids": TOKENS, "row_seeds": seeds}
    return features, {"next_token": TOKENS}, {"next_token": np.ones((8, 8), "float32")}


def training_model(task: Task, jit_compile: bool = False, learning_rate: float = 0.01, **options) -> TrainingModel:
    config = OptimizerConfig(learning_rate=learning_rate, schedule="constant", warmup_fraction=0.0)
    model = TrainingModel(task, **options)
    model.compile(build_optimizer(config, 100), jit_compile)
    return model


def train(model: TrainingModel, steps: int = 2) -> TrainingModel:
    data = tf.data.Dataset.from_tensors(batch_of(model.task)).repeat(steps)
    model.fit(data, verbose=0, shuffle=False)
    return model
