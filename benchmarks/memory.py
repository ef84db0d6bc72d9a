"""``python -m benchmarks.memory``: what a training step allocates, and what each way to need less saves and costs.

Each case runs in a process of its own. In graph mode the figure is the peak of its resident memory less that of the
same case with the smallest batch, since TensorFlow gives nothing back to the system that it has once allocated;
compiled by XLA it is the temporary memory in XLA's buffer assignment. Both leave out weights, optimizer and libraries.
The seconds are the fastest of a few steps. Linux only.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH_SIZE, SEQUENCE_LENGTH, PREDICTIONS, VOCABULARY_SIZE = 32, 128, 20, 8192
NUM_LAYERS, HIDDEN_DIM = 12, 256
POSITIONS, LARGE_VOCABULARY_SIZE = 8192, 30522
STEPS = 3

STEP_CASES = {
    "": {},
    "rematerialize": {"rematerialize": True},
    "4 micro-batches": {"accumulation_steps": 4},
    "rematerialize, 4 micro-batches": {"rematerialize": True, "accumulation_steps": 4},
}
LOSS_CASES = {"gradients of TensorFlow": None} | {f"{count} positions at once": count for count in (8192, 2048, 512)}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(_measure(**json.loads(sys.argv[1]))))
        return
    print(f"BERT {NUM_LAYERS} × {HIDDEN_DIM}, batch {BATCH_SIZE} × {SEQUENCE_LENGTH}, vocabulary {VOCABULARY_SIZE}\n")
    for jit_compile in (False, True):
        for precision in ("float32", "mixed_bfloat16"):
            for name, settings in STEP_CASES.items():
                label = f"{precision}, {'XLA' if jit_compile else 'graph'}, {name}".rstrip(", ")
                _report(label, kind="step", precision=precision, jit_compile=jit_compile, **settings)
    print(f"\nLoss and gradients of {POSITIONS} positions among {LARGE_VOCABULARY_SIZE} tokens, width {HIDDEN_DIM}\n")
    for jit_compile in (False, True):
        for name, positions_per_chunk in LOSS_CASES.items():
            label = f"float32, {'XLA' if jit_compile else 'graph'}, {name}"
            _report(label, kind="loss", jit_compile=jit_compile, positions_per_chunk=positions_per_chunk)


def _report(label: str, **case) -> None:
    if case["jit_compile"]:
        with tempfile.TemporaryDirectory() as dump:
            figures = _measured(case, XLA_FLAGS=f"--xla_dump_to={dump} --xla_dump_hlo_as_text")
            megabytes = max(map(_temporary_megabytes, Path(dump).glob("*buffer-assignment.txt")))
    else:
        figures = _measured(case)
        megabytes = figures["peak"] - _measured(case | {"smallest": True})["peak"]
    print(f"{label:60} {megabytes:8.0f} MB {figures['seconds']:8.2f} s", flush=True)


def _measured(case: dict, **environment: str) -> dict[str, float]:
    """What `_measure` gives in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(case)]
    environment = os.environ | environment
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def _temporary_megabytes(buffer_assignment: Path) -> float:
    sizes = re.findall(r"^allocation \d+: size (\d+), preallocated-temp", buffer_assignment.read_text(), re.MULTILINE)
    return sum(map(int, sizes)) / 1e6


def _measure(kind: str, **case) -> dict[str, float]:
    from trainers.memory import memory_figures

    run = _training_step(**case) if kind == "step" else _vocabulary_loss(**case)
    run()
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {"peak": memory_figures()["peak_memory_mb"], "seconds": min(seconds)}


def _training_step(
    precision: str,
    jit_compile: bool,
    rematerialize: bool = False,
    accumulation_steps: int = 1,
    smallest: bool = False,
) -> Callable[[], Any]:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfplm.models.bert import Bert
    from tfplm.models.configuration import BertConfig
    from tfplm.objectives import MaskedLmConfig
    from tfplm.tasks.masked_language_model import MaskedLanguageModel
    from tfplm.training_configuration import OptimizerConfig
    from trainers.optimizers import build_optimizer
    from trainers.training_model import TrainingModel

    keras.mixed_precision.set_global_policy(precision)
    sizes = BertConfig(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=NUM_LAYERS,
        num_heads=HIDDEN_DIM // 64,
        hidden_dim=HIDDEN_DIM,
        intermediate_dim=4 * HIDDEN_DIM,
        max_sequence_length=SEQUENCE_LENGTH,
    )
    task = MaskedLanguageModel(Bert(sizes), MaskedLmConfig())
    model = TrainingModel(task, accumulation_steps, rematerialize)
    model.compile(build_optimizer(OptimizerConfig(), total_steps=100), jit_compile=jit_compile)

    batch_size = accumulation_steps if smallest else BATCH_SIZE

    def ids(*shape: int, below: int) -> np.ndarray:
        return np.random.default_rng(0).integers(1, below, shape).astype("int32")

    features = {
        "token_ids": ids(batch_size, SEQUENCE_LENGTH, below=VOCABULARY_SIZE),
        "mask_positions": ids(batch_size, PREDICTIONS, below=SEQUENCE_LENGTH),
        "row_seeds": ids(batch_size, below=2**31),
    }
    targets = {"masked_lm": ids(batch_size, PREDICTIONS, below=VOCABULARY_SIZE)}
    weights = {"masked_lm": np.ones((batch_size, PREDICTIONS), "float32")}
    batches = iter(tf.data.Dataset.from_tensors((features, targets, weights)).repeat())
    step = model.make_train_function()
    return lambda: step(batches)


def _vocabulary_loss(jit_compile: bool, positions_per_chunk: int | None, smallest: bool = False) -> Callable[[], Any]:
    import numpy as np
    import tensorflow as tf

    from tfplm.tasks.vocabulary_scores import OutputWeights, score_tokens, score_vocabulary

    num_positions = 1 if smallest else POSITIONS
    random = np.random.default_rng(0)
    hidden = tf.constant(random.normal(size=(num_positions, HIDDEN_DIM)).astype("float32"))
    embeddings = tf.constant(random.normal(size=(LARGE_VOCABULARY_SIZE, HIDDEN_DIM), scale=0.02).astype("float32"))
    bias = tf.zeros(LARGE_VOCABULARY_SIZE)
    targets = tf.constant(random.integers(0, LARGE_VOCABULARY_SIZE, num_positions).astype("int32"))

    @tf.function(jit_compile=jit_compile)
    def loss_and_gradients():
        inputs = (hidden, embeddings, bias)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            if positions_per_chunk is None:
                scores = score_tokens(
                    lambda rows: tf.matmul(rows, embeddings, transpose_b=True) + bias, hidden, targets
                )
            else:
                scores = score_vocabulary(OutputWeights(embeddings, bias), hidden, targets, positions_per_chunk)
            loss = tf.reduce_mean(scores.losses)
        return loss, tape.gradient(loss, inputs)

    return lambda: loss_and_gradients()[0].numpy()


if __name__ == "__main__":
    main()
