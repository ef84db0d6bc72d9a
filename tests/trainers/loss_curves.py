"""Trains small models with every setting that must not change the loss, and prints the losses of every step as JSON.

Run as a process of its own, since the devices of a process are fixed once TensorFlow has started:
``python -m tests.trainers.loss_curves STRATEGY…``; several workers find each other by TF_CONFIG.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402 – behind the log level

from tests.corpora import random_shards, tiny_tokenizer  # noqa: E402
from tfplm.data.pretraining import pretraining_batches  # noqa: E402
from tfplm.experiment import OptimizerConfig, RuntimeConfig  # noqa: E402
from tfplm.models.build import build_model  # noqa: E402
from tfplm.models.configuration import BertConfig, LstmConfig  # noqa: E402
from tfplm.objectives import CausalLmConfig, MaskedLmConfig  # noqa: E402
from tfplm.progress import Progress  # noqa: E402
from tfplm.tasks.causal_language_model import CausalLanguageModel  # noqa: E402
from tfplm.tasks.masked_language_model import MaskedLanguageModel  # noqa: E402
from trainers.distribute import Workplace, distributed_dataset, workplace  # noqa: E402
from trainers.optimizers import build_optimizer  # noqa: E402
from trainers.training_model import TrainingModel  # noqa: E402

STEPS, BATCH_SIZE, SEQUENCE_LENGTH = 6, 8, 16
FAMILIES = {
    "bert": (
        BertConfig(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32, max_sequence_length=16),
        MaskedLmConfig(next_sentence=True),
        MaskedLanguageModel,
    ),
    "lstm": (
        LstmConfig(embedding_dim=16, hidden_dim=16, bidirectional=False, max_sequence_length=16),
        CausalLmConfig(),
        CausalLanguageModel,
    ),
}


def loss_curve(place: Workplace, shards, family: str, jit_compile: bool, accumulation_steps: int) -> list[float]:
    """The loss of every step, and the validation loss behind the last, with dropout and clipping at work."""
    model_config, objective, task_class = FAMILIES[family]
    tokenizer = tiny_tokenizer()
    batches = pretraining_batches(shards, tokenizer, objective, SEQUENCE_LENGTH, BATCH_SIZE, seed=5)
    keras.utils.set_random_seed(3)
    with place.strategy.scope():
        task = task_class(build_model(model_config, tokenizer.vocabulary_size), objective)
        model = TrainingModel(task, accumulation_steps)
        model.compile(build_optimizer(OptimizerConfig(learning_rate=3e-2), STEPS), jit_compile)
    history = model.fit(
        distributed_dataset(place.strategy, batches, 0, None),
        steps_per_epoch=1,
        epochs=STEPS,
        validation_data=distributed_dataset(place.strategy, batches, 100, 103),
        validation_steps=3,
        validation_freq=[STEPS - 1, STEPS],
        shuffle=False,
        verbose=0,
    ).history
    return history["loss"] + history["val_loss"]


def main(strategies: list[str]) -> None:
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        shards = random_shards(Path(folder) / "shards", 60)
        for strategy in strategies:
            logical_cpus = 2 if "mirrored" in strategies else 1
            runtime = RuntimeConfig(strategy=strategy, logical_cpus=logical_cpus)
            with workplace(runtime, Progress.silent()) as place:
                for family in FAMILIES:
                    for jit in (False, True):
                        for steps in (1, 4):
                            key = f"{family} {strategy} jit={jit} accumulation_steps={steps}"
                            curves[key] = loss_curve(place, shards, family, jit, steps)
    print(json.dumps(curves))


if __name__ == "__main__":
    main(sys.argv[1:])
