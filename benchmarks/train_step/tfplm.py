"""BERT pretraining by tfplm."""

import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import fit_again_and_again, set_precision
from benchmarks.tfplm_training import trainable
from benchmarks.workload import BertWorkload, row_seeds
from tfplm import feature_names as names
from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.masked_language_model import MaskedLanguageModel


def build(workload: dict, precision: str, jit: bool) -> Measurable:
    """A `MaskedLanguageModel` on the features that tfplm's pipeline gives."""
    bert = BertWorkload(**workload)
    set_precision(precision)
    task = MaskedLanguageModel(Bert(bert_config(bert)), MaskedLmConfig())
    model = trainable(task, bert, jit)
    return Measurable(
        fit_again_and_again(model, _features(bert)), bert.tokens_per_step, {"parameters": _trained_parameters(task)}
    )


def bert_config(workload: BertWorkload) -> BertConfig:
    """The configuration of the workload's encoder."""
    return BertConfig(
        vocabulary_size=workload.vocabulary_size,
        num_layers=workload.num_layers,
        num_heads=workload.num_heads,
        hidden_dim=workload.hidden_dim,
        intermediate_dim=workload.intermediate_dim,
        max_sequence_length=workload.sequence_length,
        dropout=workload.dropout,
        attention_dropout=workload.dropout,
    )


def _trained_parameters(task: MaskedLanguageModel) -> int:
    return sum(int(np.prod(variable.shape)) for variable in task.trainable_variables)


def _features(workload: BertWorkload) -> tuple[dict, dict, dict]:
    batches = workload.batches()
    token_ids = batches["token_ids"]
    features = {
        names.TOKEN_IDS: token_ids,
        names.PACKING_IDS: np.ones_like(token_ids),
        names.POSITION_IDS: np.broadcast_to(np.arange(workload.sequence_length, dtype=np.int32), token_ids.shape),
        names.MASK_POSITIONS: batches["mask_positions"],
        names.ROW_SEEDS: row_seeds(*token_ids.shape[:2]),
    }
    targets = {names.MASKED_LM: batches["targets"]}
    return features, targets, {names.MASKED_LM: np.ones(batches["targets"].shape, np.float32)}
