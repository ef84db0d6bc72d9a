"""Untrained models that answer questions, and texts for them."""

import functools

from tests.tfplm.tasks.small_encoders import randomize
from tfplm.answering.question_answering import QuestionAnswerer
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, LstmConfig
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

WORDS = "who what came then anna bob the river 长 江 河 流 ##a . ? ,".split()
TOKENIZERS = {
    "wordpiece": WordPieceTokenizer([*SPECIAL_TOKENS, *WORDS], WordPieceConfig(vocabulary_size=21)),
    "bytes": ByteTokenizer(BytesConfig()),
}
QUESTIONS = ["who came ?", "what ?", "长江 ?", "who ?", "", "who came then ?"]
PASSAGES = [
    "then Anna came, bob came . " * 5,
    "the river",
    "长江 河流, anna 江江江那么 bob。" * 4,
    "",
    "anna came .",
    "\u00a0 Then…  ÄNNA\tcame 👍🏽 . ",
]


@functools.cache
def build_answerer(tokenizer="wordpiece", encoder="lstm", sequence_length=24, **config) -> QuestionAnswerer:
    """Its weights are random and tell tokens apart."""
    sizes = {
        "lstm": LstmConfig(embedding_dim=8, hidden_dim=8),
        "bert": BertConfig(num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, max_sequence_length=64),
    }
    settings = {"stride": 5, "max_question_length": 8, "max_answer_length": 4, **config}
    tokenizer = TOKENIZERS[tokenizer]
    model = build_model(sizes[encoder], tokenizer.vocabulary_size, tokenizer.pad_id)
    task = randomize(QuestionAnswering(model, QuestionAnsweringConfig(**settings)))
    return QuestionAnswerer(task, tokenizer, sequence_length)
