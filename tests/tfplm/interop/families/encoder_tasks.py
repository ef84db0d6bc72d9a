"""The families of encoders with small configurations."""

from tfplm.interop.families.albert import AlbertFamily
from tfplm.interop.families.bert import BertFamily
from tfplm.interop.families.distilbert import DistilBertFamily
from tfplm.interop.families.electra import ElectraFamily
from tfplm.interop.families.roberta import RobertaFamily, XlmRobertaFamily
from tfplm.interop.families.roberta_prelayernorm import RobertaPreLayerNormFamily
from tfplm.models.configuration import BertConfig

SMALL = BertConfig(
    vocabulary_size=70,
    num_layers=2,
    num_heads=4,
    hidden_dim=32,
    intermediate_dim=48,
    max_sequence_length=16,
    dropout=0.2,
    attention_dropout=0.3,
    initializer_range=0.05,
)


def small(**changes) -> BertConfig:
    return SMALL.model_copy(update=changes)


# Each family with a configuration of its kind.
FAMILIES = [
    (BertFamily(), small(layer_norm_epsilon=1e-7)),
    (RobertaFamily(), small(pad_id=1, num_segments=1, layer_norm_epsilon=1e-5)),
    (XlmRobertaFamily(), small(pad_id=3)),
    (RobertaPreLayerNormFamily(), small(pad_id=1, norm_first=True)),
    (DistilBertFamily(), small(num_segments=0, pooler_activation="relu", activation="relu")),
    (AlbertFamily(), small(share_layers=True, embedding_dim=12, activation="gelu_tanh", num_layers=3)),
    (ElectraFamily(), small(embedding_dim=12, pooler_activation="gelu")),
    (ElectraFamily(), small(pooler_activation="gelu", pad_id=-1)),
]
FAMILY_NAMES = [f"{family.model_types[0]}-{config.width_of_embeddings}" for family, config in FAMILIES]
