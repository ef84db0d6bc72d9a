"""The tasks on an encoder's outputs under the training step: they learn, and alike however the step is taken."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfplm.tasks.small_encoders import build_encoder
from tfplm.tasks.configuration import QuestionAnsweringConfig, TextEmbeddingConfig, TokenClassificationConfig
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.token_classification import TokenClassifier
from tfplm.training_configuration import OptimizerConfig
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel

STEPS, ROWS, LENGTH = 12, 8, 8
RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(5, 20, (ROWS, LENGTH)).astype("int32")
FEATURES = {"token_ids": IDS, "row_seeds": np.arange(ROWS, dtype="int32")}
COUNTS = (np.arange(ROWS) != 3).astype("float32")  # one row fills up the batch
VECTORS = RANDOM.normal(size=(ROWS, 16)).astype("float32")
COLUMNS = RANDOM.integers(0, 4, ROWS).astype("int32")
ENDS = ("start_logits", "end_logits")


def token_classifier():
    task = TokenClassifier(build_encoder("bert"), TokenClassificationConfig(), ["O", "B", "I"])
    return task, IDS % 3, np.repeat(COUNTS[:, None], LENGTH, axis=1)


def question_answering():
    task = QuestionAnswering(build_encoder("bert"), QuestionAnsweringConfig())
    return task, dict(zip(ENDS, (COLUMNS, COLUMNS + 2), strict=True)), dict.fromkeys(ENDS, COUNTS)


def text_embedder():
    task = TextEmbedder(build_encoder("gpt"), TextEmbeddingConfig(objective="distillation", normalize=True))
    return task, VECTORS, COUNTS


@pytest.mark.parametrize("build", [token_classifier, question_answering, text_embedder])
def test_the_task_learns_the_same_compiled_and_in_micro_batches(build):
    curves = []
    for jit_compile, accumulation_steps in [(False, 1), (True, 4)]:
        keras.utils.set_random_seed(3)
        task, targets, weights = build()
        model = TrainingModel(task, accumulation_steps)
        model.compile(build_optimizer(OptimizerConfig(learning_rate=3e-2), STEPS), jit_compile)
        batch = tf.data.Dataset.from_tensors((FEATURES, targets, weights)).repeat(STEPS)
        history = model.fit(batch, steps_per_epoch=1, epochs=STEPS, shuffle=False, verbose=0).history
        assert sorted(history) == sorted(["loss", *(metric.name for metric in task.build_score_metrics())])
        curves.append(history["loss"])
    assert curves[0][-1] < 0.9 * curves[0][0]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)
