"""BERT pretraining by TensorFlow Model Garden: BertPretrainerV2 in the train step of its MaskedLMTask, on Keras 2."""

import numpy as np
import tensorflow as tf
import tf_keras
from official.nlp.configs import bert as configs
from official.nlp.configs import encoders
from official.nlp.data.pretrain_dataloader import BertPretrainDataConfig
from official.nlp.optimization import AdamWeightDecay
from official.nlp.tasks.masked_lm import MaskedLMConfig, MaskedLMTask

from benchmarks.contender import Measurable
from benchmarks.workload import BertWorkload


def build(workload: dict, precision: str, jit: bool) -> Measurable:
    """The task's step in one `tf.function`, as its trainer runs it."""
    bert = BertWorkload(**workload)
    tf_keras.mixed_precision.set_global_policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision])
    task = _task(bert)
    model, metrics = task.build_model(), task.build_metrics()
    optimizer = AdamWeightDecay(
        bert.learning_rate,
        weight_decay_rate=bert.weight_decay,
        epsilon=1e-6,
        exclude_from_weight_decay=["LayerNorm", "layer_norm", "bias"],
        gradient_clip_norm=bert.clip_norm,
    )

    @tf.function(jit_compile=jit)
    def step(inputs: dict) -> dict:
        return task.train_step(inputs, model, optimizer, metrics)

    dataset = iter(tf.data.Dataset.from_tensor_slices(_inputs(bert)).cache().repeat().prefetch(2))
    model(next(dataset))  # creates the variables

    def run(steps: int) -> None:
        for _ in range(steps):
            logs = step(next(dataset))
        logs[task.loss].numpy()

    return Measurable(run, bert.tokens_per_step, {"parameters": model.count_params()})


def _task(workload: BertWorkload) -> MaskedLMTask:
    encoder = encoders.BertEncoderConfig(
        vocab_size=workload.vocabulary_size,
        hidden_size=workload.hidden_dim,
        num_layers=workload.num_layers,
        num_attention_heads=workload.num_heads,
        intermediate_size=workload.intermediate_dim,
        dropout_rate=workload.dropout,
        attention_dropout_rate=workload.dropout,
        max_position_embeddings=workload.sequence_length,
    )
    model = configs.PretrainerConfig(encoder=encoders.EncoderConfig(type="bert", bert=encoder))
    data = BertPretrainDataConfig(use_next_sentence_label=False)
    return MaskedLMTask(MaskedLMConfig(model=model, train_data=data))


def _inputs(workload: BertWorkload) -> dict[str, np.ndarray]:
    batches = workload.batches()
    token_ids = batches["token_ids"]
    return {
        "input_word_ids": token_ids,
        "input_mask": np.ones_like(token_ids),
        "input_type_ids": np.zeros_like(token_ids),
        "masked_lm_positions": batches["mask_positions"],
        "masked_lm_ids": batches["targets"],
        "masked_lm_weights": np.ones(batches["targets"].shape, np.float32),
    }
