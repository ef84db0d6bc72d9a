"""Every task that a checkpoint's head can become, on a small model."""

from tfplm.models.build import build_model
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import CausalLmConfig, MaskedLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import (
    QuestionAnsweringConfig,
    Seq2SeqLmConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TokenClassificationConfig,
)
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.token_classification import TokenClassifier

CLASS_NAMES = ["one", "two", "three"]


def build_task(config: ModelConfig, task_type: str, with_next_sentence: bool = False) -> Task:
    """The task of a type, with fresh weights."""
    encoder = build_model(config, config.vocabulary_size)
    heads = {
        "masked_lm": lambda: MaskedLanguageModel(encoder, MaskedLmConfig(next_sentence=with_next_sentence)),
        "causal_lm": lambda: CausalLanguageModel(encoder, CausalLmConfig()),
        "seq2seq_lm": lambda: Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig()),
        "text_classification": lambda: TextClassifier(
            encoder, TextClassificationConfig(output_bias=config.type == "bert"), CLASS_NAMES
        ),
        "token_classification": lambda: TokenClassifier(encoder, TokenClassificationConfig(), CLASS_NAMES),
        "question_answering": lambda: QuestionAnswering(encoder, QuestionAnsweringConfig()),
        "text_embedding": lambda: TextEmbedder(encoder, TextEmbeddingConfig()),
    }
    return heads[task_type]()
