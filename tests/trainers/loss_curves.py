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
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles in two thirds of the time

import keras  # noqa: E402 – behind the log level

from tests.corpora import random_shards, sentinel_tokenizer, tiny_tokenizer  # noqa: E402
from tfplm.data.pretraining import pretraining_batches  # noqa: E402
from tfplm.experiment import PretrainConfig  # noqa: E402
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config  # noqa: E402
from tfplm.objectives import CausalLmConfig, MaskedLmConfig, SpanCorruptionConfig  # noqa: E402
from tfplm.progress import Progress  # noqa: E402
from tfplm.training_configuration import OptimizerConfig, RuntimeConfig  # noqa: E402
from trainers.distribute import Workplace, distributed_dataset, workplace  # noqa: E402
from trainers.optimizers import build_optimizer  # noqa: E402
from trainers.pretrain import build_pretraining_model  # noqa: E402
from trainers.training_model import TrainingModel  # noqa: E402

STEPS, BATCH_SIZE, SEQUENCE_LENGTH = 6, 8, 16
TRANSFORMER = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
SPANS = SpanCorruptionConfig(corruption_rate=0.3, mean_span_length=2.0)  # two in a row
MODELS = {
    "bert": (BertConfig(**TRANSFORMER, max_sequence_length=16), MaskedLmConfig(next_sentence=True)),
    "lstm": (LstmConfig(embedding_dim=16, hidden_dim=16, bidirectional=False, initializer_range=0.3), CausalLmConfig()),
    "gpt": (
        GptConfig(
            **TRANSFORMER,
            num_key_value_heads=1,
            position_embedding="rotary",
            norm="rms_norm",
            activation="swiglu",
            use_bias=False,
        ),
        CausalLmConfig(),
    ),
    "t5": (T5Config(**TRANSFORMER, head_dim=8), SPANS),
    "lstm_seq2seq": (LstmSeq2SeqConfig(embedding_dim=16, hidden_dim=16), SPANS),
}
FAMILIES = {
    family: PretrainConfig(model=model, objective=objective, sequence_length=SEQUENCE_LENGTH)
    for family, (model, objective) in MODELS.items()
}

EVERY_WAY = [(False, 1), (False, 4), (True, 1), (True, 4)]  # compiled by XLA or not, and the micro-batches of a step
# The engine is the same for all; to compile every way of every family takes minutes.
WAYS = dict.fromkeys(("lstm", "t5", "lstm_seq2seq"), [(False, 1), (True, 4)])


def loss_curve(place: Workplace, shards, family: str, jit_compile: bool, accumulation_steps: int) -> list[float]:
    """The loss of every step, and the validation loss behind the last, with dropout and clipping at work."""
    config = FAMILIES[family]
    tokenizer = sentinel_tokenizer(2) if config.objective.type == "span_corruption" else tiny_tokenizer()
    batches = pretraining_batches(shards, tokenizer, config.objective, SEQUENCE_LENGTH, BATCH_SIZE, seed=5)
    keras.utils.set_random_seed(3)
    with place.strategy.scope():
        task = build_pretraining_model(config, tokenizer.vocabulary_size)
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
                    for jit, steps in WAYS.get(family, EVERY_WAY):
                        key = f"{family} {strategy} jit={jit} accumulation_steps={steps}"
                        curves[key] = loss_curve(place, shards, family, jit, steps)
    print(json.dumps(curves))


if __name__ == "__main__":
    main(sys.argv[1:])
