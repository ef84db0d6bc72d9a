"""tfplm takes raw text to a language model that answers on a server or on a phone.

The names below are imported when they are first used, so that ``import tfplm`` costs nothing.

Example:
    >>> import tfplm
    >>> tfplm.BertConfig(num_layers=2).hidden_dim
    256
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULE_OF = {
    "BertConfig": "tfplm.models.configuration",
    "GptConfig": "tfplm.models.configuration",
    "LstmConfig": "tfplm.models.configuration",
    "LstmSeq2SeqConfig": "tfplm.models.configuration",
    "T5Config": "tfplm.models.configuration",
    "Bert": "tfplm.models.bert",
    "Gpt": "tfplm.models.gpt",
    "Lstm": "tfplm.models.lstm",
    "LstmSeq2Seq": "tfplm.models.lstm_seq2seq",
    "T5": "tfplm.models.t5",
    "build_model": "tfplm.models.build",
    "MaskedLmConfig": "tfplm.objectives",
    "CausalLmConfig": "tfplm.objectives",
    "PrefixLmConfig": "tfplm.objectives",
    "SpanCorruptionConfig": "tfplm.objectives",
    "Seq2SeqLmConfig": "tfplm.tasks.configuration",
    "TextClassificationConfig": "tfplm.tasks.configuration",
    "MaskedLanguageModel": "tfplm.tasks.masked_language_model",
    "MultipleChoiceConfig": "tfplm.tasks.configuration",
    "QuestionAnsweringConfig": "tfplm.tasks.configuration",
    "TextRegressionConfig": "tfplm.tasks.configuration",
    "TextEmbeddingConfig": "tfplm.tasks.configuration",
    "TokenClassificationConfig": "tfplm.tasks.configuration",
    "CausalLanguageModel": "tfplm.tasks.causal_language_model",
    "Seq2SeqLanguageModel": "tfplm.tasks.seq2seq_language_model",
    "MultipleChoice": "tfplm.tasks.multiple_choice",
    "QuestionAnswering": "tfplm.tasks.question_answering",
    "TextClassifier": "tfplm.tasks.text_classification",
    "TextRegressor": "tfplm.tasks.text_regression",
    "TextEmbedder": "tfplm.tasks.text_embedding",
    "TokenClassifier": "tfplm.tasks.token_classification",
    "MaskFiller": "tfplm.answering.fill_mask",
    "load_pretrained": "tfplm.interop.pretrained",
    "write_huggingface": "tfplm.interop.huggingface_folder",
    "GenerationConfig": "tfplm.generation.configuration",
    "TextGenerator": "tfplm.generation.text_generator",
    "save_task": "tfplm.tasks.saving",
    "load_task": "tfplm.tasks.saving",
    "load_encoder": "tfplm.tasks.saving",
    "BytesConfig": "tfplm.tokenizers.configuration",
    "SentencePieceConfig": "tfplm.tokenizers.configuration",
    "WordPieceConfig": "tfplm.tokenizers.configuration",
    "ByteTokenizer": "tfplm.tokenizers.bytes",
    "SentencePieceTokenizer": "tfplm.tokenizers.sentencepiece",
    "Tokenizer": "tfplm.tokenizers.tokenizer",
    "WordPieceTokenizer": "tfplm.tokenizers.wordpiece",
    "load_tokenizer": "tfplm.tokenizers.loading",
    "train_tokenizer": "tfplm.tokenizers.loading",
    "train_sentencepiece": "tfplm.tokenizers.sentencepiece_training",
    "train_wordpiece": "tfplm.tokenizers.training",
    "CleaningConfig": "tfplm.data.configuration",
    "CorpusConfig": "tfplm.data.configuration",
    "LabelledDataConfig": "tfplm.data.configuration",
    "PackageSource": "tfplm.data.configuration",
    "PairDataConfig": "tfplm.data.pair_configuration",
    "load_pairs": "tfplm.data.pairs",
    "TableSource": "tfplm.data.configuration",
    "TextSource": "tfplm.data.configuration",
    "TokenShards": "tfplm.data.shards",
    "encode_texts": "tfplm.data.classification",
    "held_out_groups": "tfplm.data.labelled",
    "load_labelled": "tfplm.data.labelled",
    "prepare_corpus": "tfplm.data.prepare",
    "pretraining_batches": "tfplm.data.pretraining",
    "read_documents": "tfplm.data.sources",
    "ExperimentConfig": "tfplm.experiment",
    "Progress": "tfplm.progress",
    "UserError": "tfplm.errors",
    "load_config": "tfplm.config",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tfplm' has no attribute '{name}'")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
