"""``python -m benchmarks.memory``: what a training step allocates, and what each way to need less saves and costs.

A case runs in a process of its own, which gives memory back to the system as soon as TensorFlow frees it. After a step
that traces and compiles, the peak of the next ones is counted above what was resident before them: activations,
gradients and buffers, without weights, optimizer and libraries. Linux only.
"""

import json
import os
import subprocess
import sys
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
LOSS_CASES = {"gradients of TensorFlow": None, "all at once": POSITIONS, "chunks of 64 MiB": POSITIONS // 16}


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
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(case)]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**16), "TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures = json.loads(output.splitlines()[-1])
    print(f"{label:60} {figures['megabytes']:8.0f} MB {figures['seconds']:8.2f} s", flush=True)


def _measure(kind: str, **case) -> dict[str, float]:
    run = _training_step(**case) if kind == "step" else _vocabulary_loss(**case)
    run()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {"megabytes": _resident("VmHWM") - before, "seconds": min(seconds)}


def _resident(key: str) -> float:
    """A figure of this process in megabytes (10^6 bytes)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) * 1024 / 1e6


def _training_step(
    precision: str, jit_compile: bool, rematerialize: bool = False, accumulation_steps: int = 1
) -> Callable[[], Any]:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfplm.experiment import OptimizerConfig
    from tfplm.models.bert import Bert
    from tfplm.models.configuration import BertConfig
    from tfplm.objectives import MaskedLmConfig
    from tfplm.tasks.masked_language_model import MaskedLanguageModel
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

    def ids(*shape: int, below: int) -> np.ndarray:
        return np.random.default_rng(0).integers(1, below, shape).astype("int32")

    features = {
        "token_ids": ids(BATCH_SIZE, SEQUENCE_LENGTH, below=VOCABULARY_SIZE),
        "mask_positions": ids(BATCH_SIZE, PREDICTIONS, below=SEQUENCE_LENGTH),
        "row_seeds": ids(BATCH_SIZE, below=2**31),
    }
    targets = {"masked_lm": ids(BATCH_SIZE, PREDICTIONS, below=VOCABULARY_SIZE)}
    weights = {"masked_lm": np.ones((BATCH_SIZE, PREDICTIONS), "float32")}
    batches = iter(tf.data.Dataset.from_tensors((features, targets, weights)).repeat())
    step = model.make_train_function()
    return lambda: step(batches)


def _vocabulary_loss(jit_compile: bool, positions_per_chunk: int | None) -> Callable[[], Any]:
    import numpy as np
    import tensorflow as tf

    from tfplm.tasks.vocabulary_scores import OutputWeights, score_tokens, score_vocabulary

    random = np.random.default_rng(0)
    hidden = tf.constant(random.normal(size=(POSITIONS, HIDDEN_DIM)).astype("float32"))
    embeddings = tf.constant(random.normal(size=(LARGE_VOCABULARY_SIZE, HIDDEN_DIM), scale=0.02).astype("float32"))
    bias = tf.zeros(LARGE_VOCABULARY_SIZE)
    targets = tf.constant(random.integers(0, LARGE_VOCABULARY_SIZE, POSITIONS).astype("int32"))

    @tf.function(jit_compile=jit_compile)
    def loss_and_gradients():
        inputs = (hidden, embeddings, bias)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            if positions_per_chunk is None:
                scores = score_tokens(lambda rows: tf.matmul(rows, embeddings, transpose_b=True) + bias, hidden, targets)
            else:
                scores = score_vocabulary(OutputWeights(embeddings, bias), hidden, targets, positions_per_chunk)
            loss = tf.reduce_mean(scores.losses)
        return loss, tape.gradient(loss, inputs)

    return lambda: loss_and_gradients()[0].numpy()


if __name__ == "__main__":
    main()
