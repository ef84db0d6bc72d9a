"""BERT pretraining by KerasHub: BertBackbone and BertMaskedLM, compiled with its own loss and metric."""

import keras_hub
import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import adamw, fit_again_and_again, set_precision
from benchmarks.workload import BertWorkload


def build(workload: dict, precision: str, jit: bool) -> Measurable:
    """A `BertMaskedLM` without its preprocessor."""
    bert = BertWorkload(**workload)
    set_precision(precision)
    model = keras_hub.models.BertMaskedLM(backbone(bert))
    model.compile(optimizer=adamw(bert), jit_compile=jit)
    batches = bert.batches()
    token_ids = batches["token_ids"]
    features = {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": np.ones_like(token_ids),
        "mask_positions": batches["mask_positions"],
    }
    weights = np.ones(batches["targets"].shape, np.float32)
    run = fit_again_and_again(model, (features, batches["targets"], weights))
    return Measurable(run, bert.tokens_per_step, {"parameters": model.count_params()})


def backbone(workload: BertWorkload) -> keras_hub.models.BertBackbone:
    """The workload's encoder."""
    return keras_hub.models.BertBackbone(
        vocabulary_size=workload.vocabulary_size,
        num_layers=workload.num_layers,
        num_heads=workload.num_heads,
        hidden_dim=workload.hidden_dim,
        intermediate_dim=workload.intermediate_dim,
        dropout=workload.dropout,
        max_sequence_length=workload.sequence_length,
    )
