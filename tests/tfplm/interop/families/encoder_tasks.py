"""The families of encoders with small configurations, and every task on them."""

from tfplm.interop.families.albert import AlbertFamily
from tfplm.interop.families.bert import BertFamily
from tfplm.interop.families.distilbert import DistilBertFamily
from tfplm.interop.families.electra import ElectraFamily
from tfplm.interop.families.roberta import RobertaFamily, XlmRobertaFamily
from tfplm.interop.families.roberta_prelayernorm import RobertaPreLayerNormFamily
from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.configuration import (
    QuestionAnsweringConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TokenClassificationConfig,
)
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.task import Task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.token_classification import TokenClassifier

CLASS_NAMES = ["one", "two", "three"]

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


def build_task(config: BertConfig, task_type: str, with_next_sentence: bool = False) -> Task:
    """The task of a type, with fresh weights."""
    encoder = Bert(config)
    if task_type == "masked_lm":
        return MaskedLanguageModel(encoder, MaskedLmConfig(next_sentence=with_next_sentence))
    if task_type == "text_classification":
        return TextClassifier(encoder, TextClassificationConfig(), CLASS_NAMES)
    if task_type == "token_classification":
        return TokenClassifier(encoder, TokenClassificationConfig(), CLASS_NAMES)
    if task_type == "question_answering":
        return QuestionAnswering(encoder, QuestionAnsweringConfig())
    return TextEmbedder(encoder, TextEmbeddingConfig())
