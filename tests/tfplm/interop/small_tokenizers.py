"""Small tokenizers of the kinds that checkpoints bring, read from files as other projects write them."""

import io
import json
from pathlib import Path

import tokenizers
from sentencepiece import SentencePieceTrainer
from tokenizers import models, pre_tokenizers, processors, trainers

from tfplm.interop.tokenizers.reading import read_tokenizer
from tfplm.tokenizers.tokenizer import Tokenizer

TEXTS = [
    "The people of the United States, in 1867, and their neighbours across the sea.",
    "It's a small world; isn't it? 42 ships sailed at 9:30.",
    "人民的政府，由人民产生。春天来了！",
    "café naïve Straße 😀👍🏽",
    "Whoever reads this reads slowly, and then reads it again.",
]
_VOCABULARY_SIZE = 380
_SENTENCEPIECE = {
    "t5": ("T5Tokenizer", "spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "albert": (
        "AlbertTokenizer",
        "spiece.model",
        {"pad_id": 0, "unk_id": 1, "eos_id": -1, "bos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    ),
    "xlm-roberta": ("XLMRobertaTokenizer", "sentencepiece.bpe.model", {}),
    "llama": (
        "LlamaTokenizer",
        "tokenizer.model",
        {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
    ),
}
_ROBERTA = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def small_tokenizer(kind: str, folder: Path) -> Tokenizer:
    """The tokenizer of a kind of checkpoint, such as "bert", trained on a few lines and read from ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind in _SENTENCEPIECE:
        _write_sentencepiece(folder, *_SENTENCEPIECE[kind])
    elif kind == "bert":
        _write_wordpiece(folder)
    else:
        _write_byte_level_bpe(folder, kind)
    return read_tokenizer(folder)


def _write_sentencepiece(folder: Path, tokenizer_class: str, file: str, options: dict) -> None:
    model = io.BytesIO()
    settings = {"vocab_size": _VOCABULARY_SIZE, "hard_vocab_limit": False, "minloglevel": 4, **options}
    SentencePieceTrainer.Train(sentence_iterator=iter(TEXTS * 4), model_writer=model, **settings)
    (folder / file).write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}))


def _write_wordpiece(folder: Path) -> None:
    trained = tokenizers.BertWordPieceTokenizer()
    trained.train_from_iterator(TEXTS, vocab_size=_VOCABULARY_SIZE, min_frequency=1, show_progress=False)
    trained.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))


def _write_byte_level_bpe(folder: Path, kind: str) -> None:
    special = [*_ROBERTA.values()] if kind == "roberta" else ["<|endoftext|>"]
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    backend.decoder = tokenizers.decoders.ByteLevel()
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    if kind == "roberta":
        edges = [(name, backend.token_to_id(name)) for name in ("</s>", "<s>")]
        backend.post_processor = processors.RobertaProcessing(*edges, add_prefix_space=False)
        names = _ROBERTA
    backend.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
