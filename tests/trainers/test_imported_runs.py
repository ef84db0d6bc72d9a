"""An imported checkpoint goes on by the commands that are there: it labels, is judged, trained, writes and leaves."""

import json

import numpy as np
import pytest

from export.runs import export_run
from tests.tfplm.interop.families.decoder_tasks import T5_ORIGINAL
from tests.tfplm.interop.families.encoder_tasks import small
from tests.tfplm.interop.small_tokenizers import TEXTS, small_tokenizer
from tests.written_corpus import write_table
from tfplm.config import read_yaml, validate
from tfplm.data.configuration import TableSource
from tfplm.data.pair_configuration import PairTableSource
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.interop.huggingface_folder import write_huggingface
from tfplm.interop.pretrained import load_pretrained
from tfplm.interop.run_import import import_run
from tfplm.models.build import build_model
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tasks.configuration import Seq2SeqLmConfig, TextClassificationConfig
from tfplm.tasks.saving import load_task
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.text_classification import TextClassifier
from trainers.evaluate import evaluate_run
from trainers.evaluate_text import evaluate_pairs
from trainers.generate import RunGenerator
from trainers.opened_run import OpenedRun
from trainers.predict import predict_run
from trainers.stages import run_finetune

LABELS = ["animals", "weather"]


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """A checkpoint with a classifier's head, and the run that it became."""
    base = tmp_path_factory.mktemp("roberta")
    tokenizer = small_tokenizer("roberta", base / "tokenizer")
    config = small(vocabulary_size=None, num_segments=1, max_sequence_length=32, initializer_range=0.3)
    encoder = build_model(config, tokenizer.vocabulary_size, tokenizer.pad_id)
    (base / "checkpoint").mkdir()
    task = TextClassifier(encoder, TextClassificationConfig(), LABELS)
    write_huggingface(task, tokenizer, base / "checkpoint", "roberta")
    report = import_run(str(base / "checkpoint"), base / "run")
    write_table(base / "table.csv")
    return base, task, report


@pytest.fixture(scope="module")
def finetuned(roberta):
    base = roberta[0]
    values = {
        "output_dir": str(base / "experiment"),
        "finetune": {
            "data": {"train": {"type": "table", "paths": [str(base / "table.csv")], "label_column": "label"}},
            "candidates": {  # far enough for an int8 file to be of one mind
                "checkpoint": {
                    "initialize_from": str(base / "run"),
                    "epochs": 5,
                    "optimizer": {"learning_rate": 5e-3},
                }
            },
            "sequence_length": 24,
            "batch_size": 8,
        },
    }
    folder = run_finetune(validate(ExperimentConfig, values, "test"), Progress.silent())
    return folder / "checkpoint" / "seed-0"


def test_the_report_says_what_was_taken(roberta):
    base, task, report = roberta
    assert report == json.loads((base / "run" / "report.json").read_text())
    assert report["stage"] == "import" and report["task"] == "text_classification"
    assert report["parameters"] == task.count_params()
    assert list(report["sha256"]) == ["model.safetensors"] and not report["tensors_left_out"]


def test_it_labels_texts_as_the_checkpoint_does(roberta):
    base, task, _ = roberta
    pretrained = load_pretrained(base / "checkpoint")
    ids = pretrained.tokenizer.encode_rows(TEXTS, 32)
    expected = np.asarray(task.probabilities(task({"token_ids": ids})))
    for answer, probabilities in zip(predict_run(base / "run", TEXTS), expected, strict=True):
        np.testing.assert_allclose([answer["probabilities"][label] for label in LABELS], probabilities, atol=1e-5)


def test_it_is_judged_on_a_table(roberta, tmp_path):
    rows = "".join(f"{text!r};{LABELS[number % 2]}\n".replace(",", " ") for number, text in enumerate(TEXTS))
    (tmp_path / "new.csv").write_text("text,label\n" + rows.replace(";", ","), encoding="utf-8")
    figures = evaluate_run(roberta[0] / "run", TableSource(paths=[str(tmp_path / "new.csv")], label_column="label"))
    assert figures["examples"] == len(TEXTS) and 0.0 <= figures["accuracy"] <= 1.0


def test_it_is_judged_on_pairs_too_since_it_does_not_say_what_it_has_learned(roberta, tmp_path):
    rows = "".join(f"{text!r:.20},a pair,{LABELS[number % 2]}\n" for number, text in enumerate(["one", "two", "three"]))
    (tmp_path / "new.csv").write_text("text,other,label\n" + rows, encoding="utf-8")
    columns = {"text_pair_column": "other", "label_column": "label"}
    assert evaluate_run(roberta[0] / "run", tmp_path / "new.csv", columns=columns)["examples"] == 3


def test_what_learned_texts_is_not_judged_on_pairs(finetuned, tmp_path):
    (tmp_path / "new.csv").write_text("text,other,label\na,b,weather\n", encoding="utf-8")
    with pytest.raises(UserError, match="seed-0 answers text; the data has text and text_pair"):
        evaluate_run(finetuned, tmp_path / "new.csv", columns={"text_pair_column": "other"})


def test_it_is_fine_tuned_with_its_own_tokenizer_and_keeps_its_name(roberta, finetuned):
    run = RunDirectory(finetuned)
    assert run.read_report()["test"]["examples"] > 0
    assert read_yaml(run.config)["model_type"] == "roberta"
    assert load_task(run.model).encoder.config == load_task(roberta[0] / "run" / "model").encoder.config


@pytest.mark.parametrize("format", ["saved_model", "tflite", "huggingface"])
def test_what_was_fine_tuned_leaves_in_every_form_with_its_proof(finetuned, format, tmp_path):
    report = export_run(finetuned, format, tmp_path / "out")
    assert report["num_texts"] >= 64
    if format == "tflite":  # the tokenizer is none of TFLite's
        assert set(report["files"]) == {"model_ids.tflite", "model_ids_int8.tflite"}
    if format == "huggingface":
        assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "roberta"
        again = load_pretrained(tmp_path / "out")
        assert again.task.class_names == load_task(finetuned / "model").class_names
        assert "imported from `checkpoint`" in (tmp_path / "out" / "README.md").read_text()


def test_a_language_model_answers_no_texts_and_says_what_to_do(roberta, tmp_path):
    import_run(str(roberta[0] / "checkpoint"), tmp_path / "body", task="masked_lm")
    with pytest.raises(UserError, match=r"masked_lm(.|\n)*initialize_from"):
        OpenedRun.open(tmp_path / "body").require_answers("tfplm predict")


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    base = tmp_path_factory.mktemp("t5")
    tokenizer = small_tokenizer("t5", base / "tokenizer")
    encoder = build_model(T5_ORIGINAL.model_copy(update={"vocabulary_size": None}), tokenizer.vocabulary_size)
    (base / "checkpoint").mkdir()
    write_huggingface(Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig()), tokenizer, base / "checkpoint")
    path = base / "checkpoint" / "config.json"
    values = json.loads(path.read_text()) | {"task_specific_params": {"shorten": {"prefix": "shorten: "}}}
    path.write_text(json.dumps(values))
    (base / "checkpoint" / "generation_config.json").write_text('{"num_beams": 2, "max_new_tokens": 5}')
    import_run(str(base / "checkpoint"), base / "run")
    return OpenedRun.open(base / "run")


def test_what_writes_brings_its_settings_and_its_prefixes(t5):
    settings = t5.generation_settings({})
    assert (settings.strategy, settings.num_beams, settings.max_new_tokens) == ("beam", 2, 5)
    assert t5.prefixes == {"shorten": "shorten: "} and t5.choose_task(None) == "shorten"
    ((_, plain),) = RunGenerator(t5, None).generate(["shorten: the ships"], settings)
    ((_, by_task),) = RunGenerator(t5, "shorten").generate(["the ships"], settings)
    assert plain.token_ids[0].tolist() == by_task.token_ids[0].tolist()


def test_a_prefix_leaves_and_comes_in_again(t5, tmp_path):
    export_run(t5.directory.path, "huggingface", tmp_path / "out")
    for page in ("how_to_use.md", "README.md"):
        assert "shorten: a text" in (tmp_path / "out" / page).read_text()
    import_run(str(tmp_path / "out"), tmp_path / "again")
    assert OpenedRun.open(tmp_path / "again").prefixes == {"shorten": "shorten: "}


def test_what_writes_is_judged_on_pairs(t5, tmp_path):
    (tmp_path / "pairs.tsv").write_text("source\ttarget\nthe ships\tships\nthe sea\tsea\n")
    source = PairTableSource(paths=[str(tmp_path / "pairs.tsv")])
    figures = evaluate_pairs(t5, source, "imported", t5.generation_settings({"max_new_tokens": 4}))
    assert figures["chrf"] >= 0.0 and figures["perplexity"] > 1.0
