"""Small models that write, with random weights and bytes as tokens, and the runs that they come from."""

import json

import keras

from tfplm.models.build import build_model
from tfplm.models.configuration import GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config
from tfplm.objectives import CausalLmConfig
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.language_model import LanguageModel
from tfplm.tasks.saving import save_task
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tokenizers.bytes import ByteTokenizer

TOKENIZER = ByteTokenizer()
PREFIX = "answer: "
TEXTS = [f"{first} {second}." for first in ("snow", "the sun", "今天") for second in ("falls", "rises", "很好", "42")]
_MODELS = {
    "gpt": GptConfig(
        num_layers=2,
        num_heads=4,
        num_key_value_heads=2,
        hidden_dim=32,
        intermediate_dim=48,
        max_sequence_length=40,
        position_embedding="rotary",
        norm="rms_norm",
        activation="swiglu",
        use_bias=False,
        initializer_range=0.3,
    ),
    "gpt_2": GptConfig(
        num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=48, max_sequence_length=32, initializer_range=0.3
    ),
    "lstm": LstmConfig(num_layers=2, embedding_dim=16, hidden_dim=24, bidirectional=False, initializer_range=0.5),
    "t5": T5Config(num_layers=1, num_heads=2, head_dim=8, hidden_dim=32, intermediate_dim=48, max_sequence_length=40),
    "lstm_seq2seq": LstmSeq2SeqConfig(embedding_dim=16, hidden_dim=24, initializer_range=0.5, max_sequence_length=32),
}


def make_writer(model: str) -> LanguageModel:
    keras.utils.set_random_seed(3)
    encoder = build_model(_MODELS[model], TOKENIZER.vocabulary_size)
    if model in ("t5", "lstm_seq2seq"):
        return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig())
    return CausalLanguageModel(encoder, CausalLmConfig())


def make_writer_run(task: LanguageModel, path, stage: str = "pretrain") -> RunDirectory:
    """Writes what a finished training leaves, as far as an export reads it."""
    run = RunDirectory(path)
    config, examples = {"stage": stage}, TEXTS
    if stage == "finetune":
        config |= {"task": {"separator": "\n"}, "tasks": {"only": {"prefix": PREFIX}}}
        separator = "" if task.is_encoder_decoder else "\n"
        examples = [f"{PREFIX}{text}{separator}" for text in TEXTS]
    write_config(run, config)
    TOKENIZER.save(run.tokenizer)
    save_task(task, run.model)
    (run.path / "examples.json").write_text(json.dumps(examples), encoding="utf-8")
    run.write_report(stage, "0123", {})
    return run
