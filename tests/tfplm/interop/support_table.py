"""The table of architectures in README.md, from the round trips that were run."""

from dataclasses import dataclass, field
from pathlib import Path

from tfplm.interop.family import HEADS
from tfplm.interop.keras_hub_presets import MODEL_TYPES as KERAS_HUB

BEGIN, END = "<!-- checkpoints: made by tests/tfplm/interop/test_round_trips.py -->", "<!-- /checkpoints -->"
_NAMES = {
    "bert": "BERT, sentence encoders of its kind",
    "roberta": "RoBERTa",
    "xlm-roberta": "XLM-RoBERTa",
    "roberta-prelayernorm": "RoBERTa-PreLayerNorm",
    "distilbert": "DistilBERT",
    "albert": "ALBERT",
    "electra": "ELECTRA, generator and discriminator",
    "gpt2": "GPT-2, DistilGPT-2",
    "llama": "Llama, SmolLM",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "t5": "T5, Flan-T5",
    "mt5": "mT5, T5 1.1",
}
_TOKENIZERS = {
    "wordpiece": "WordPiece",
    "byte_level_bpe": "byte-level BPE",
    "imported_sentencepiece": "SentencePiece",
}
_WITH_TENSORFLOW_CLASSES = (  # in transformers 4, which wrote tf_model.h5
    "bert",
    "roberta",
    "xlm-roberta",
    "roberta-prelayernorm",
    "distilbert",
    "albert",
    "electra",
    "gpt2",
    "t5",
    "mt5",
)
_FURTHER = {"bert": ["TensorFlow 1", "Model Garden"]}


@dataclass
class Row:
    """What of an architecture went out and in again."""

    heads: set[str] = field(default_factory=set)
    tokenizers: set[str] = field(default_factory=set)


def table_of(rows: dict[str, Row]) -> str:
    """Markdown, a line an architecture."""
    lines = ["| architecture | in | heads | tokenizer | out |", "|---|---|---|---|---|"]
    for model_type, row in rows.items():
        h5 = ["tf_model.h5"] if model_type in _WITH_TENSORFLOW_CLASSES else []
        hub = ["KerasHub"] if model_type in KERAS_HUB else []
        cells = [
            _NAMES[model_type],
            ", ".join(["safetensors", *h5, *hub, *_FURTHER.get(model_type, [])]),
            ", ".join(f"`{head}`" for head in HEADS if head in row.heads),
            ", ".join(_TOKENIZERS[kind] for kind in sorted(row.tokenizers)),
            "safetensors",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table_in(path: Path) -> str:
    """The table as a page has it."""
    _, _, behind = path.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    return behind.partition(f"\n{END}")[0]
