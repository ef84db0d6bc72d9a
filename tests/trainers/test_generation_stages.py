"""From text to models that answer: pretraining, fine-tuning to two tasks, what is left, and what uses it."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from tests.written_corpus import write_corpus, write_pairs
from tfplm.cli import app
from tfplm.config import validate
from tfplm.data.pair_configuration import PairTableSource
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig, ExportConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from trainers.evaluate_text import evaluate_pairs, evaluate_text
from trainers.experiment import run_experiment
from trainers.generate import RunGenerator, generation_record
from trainers.opened_run import OpenedRun
from trainers.stages import run_finetune

TINY_GPT = {
    "type": "gpt",
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 32,
    "intermediate_dim": 32,
    "max_sequence_length": 48,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
TINY_T5 = {
    "type": "t5",
    "num_layers": 1,
    "num_heads": 2,
    "head_dim": 16,
    "hidden_dim": 32,
    "intermediate_dim": 32,
    "max_sequence_length": 32,
    "dropout": 0.0,
}
ANSWERS = {"greet": "hey", "part": "再见"}


def experiment(folder) -> ExperimentConfig:
    tasks = {
        name: {"prefix": f"{name}: ", "data": {"train": {"type": "table", "paths": [str(folder / f"{name}.tsv")]}}}
        for name in ANSWERS
    }
    values = {
        "output_dir": str(folder / "run"),
        "corpus": {
            "sources": [{"type": "text", "paths": [str(folder / "text" / "*.txt")]}],
            "validation_fraction": 0.2,
            "hold_out_evaluation": False,
        },
        "tokenizer": {"type": "bytes"},
        "pretrain": {
            "model": TINY_GPT,
            "objective": {"type": "causal_lm"},
            "sequence_length": 32,
            "batch_size": 8,
            "steps": 40,
            "log_every": 20,
            "checkpoint_every": 20,
            "validation_batches": 1,
            "optimizer": {"learning_rate": 1e-2},
        },
        "finetune": {
            "task": {"type": "text_generation"},
            "tasks": tasks,
            "candidates": {
                "gpt": {"initialize_from": "pretrain", "epochs": 20, "optimizer": {"learning_rate": 1e-2}},
                "t5": {"model": TINY_T5, "epochs": 12, "optimizer": {"learning_rate": 2e-2}},
            },
            "source_length": 24,
            "target_length": 8,
            "batch_size": 8,
            "generation": {"max_new_tokens": 8},
            "evaluation_examples": 4,
        },
    }
    return validate(ExperimentConfig, values, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("writing")
    write_corpus(base / "text")
    for name, answer in ANSWERS.items():
        write_pairs(base / f"{name}.tsv", answer)
    run_finetune(experiment(base), Progress.silent())
    return base


def finetuned(folder, name: str) -> RunDirectory:
    return RunDirectory(folder / "run" / "finetune" / name / "seed-0")


def test_pretraining_reports_the_whole_validation_text_beside_what_it_has_to_beat(folder):
    report = RunDirectory(folder / "run" / "pretrain").read_report()
    figures, floors = report["validation"], report["floors"]
    corpus = RunDirectory(folder / "run" / "corpus").read_report()
    assert figures["tokens"] == corpus["validation_tokens"] + corpus["validation_documents"]
    assert figures["characters"] == figures["bytes"] == corpus["validation_tokens"]  # English in bytes
    assert figures["bits_per_byte"] == pytest.approx(
        figures["nats_per_token"] * figures["tokens"] / figures["bytes"] / 0.6931472, rel=1e-6
    )
    assert figures["bits_per_byte"] < floors["unigram"]["bits_per_byte"] < 8.0
    assert set(floors) == {"unigram", "trigram", "gzip", "xz", "xz_primed"}
    assert [sample.keys() for sample in report["samples"]][0] == {"prompt", "text"}
    # What the history estimates from some batches is near what was measured on all.
    assert report["history"][-1]["val_bits_per_byte"] == pytest.approx(figures["bits_per_byte"], rel=0.1)


@pytest.mark.parametrize("name", ["gpt", "t5"])
def test_a_decoder_and_an_encoder_decoder_learn_to_answer_by_the_prefix_and_to_stop(folder, name):
    figures = finetuned(folder, name).read_report()["test"]["tasks"]
    for task in ANSWERS:
        assert figures[task]["exact_match"] == 100.0
        assert figures[task]["num_cut"] == 0
        assert figures[task]["length_ratio"] == 1.0


def test_the_report_compares_the_candidates_with_copies_and_shows_examples(folder):
    report = json.loads((folder / "run" / "report.json").read_text())
    assert report["judged_on"] == "test"
    assert set(report["candidates"]) == {"gpt", "t5"}
    copies = report["baselines"]["greet"]
    assert copies["copying the source"]["exact_match"] == 0.0
    assert "copying its first sentence" not in copies  # the sources are one sentence each
    markdown = (folder / "run" / "report.md").read_text()
    assert "## Examples: part" in markdown
    assert "| 再见 | 再见 | 再见 |" in markdown
    assert "0 of 4 |" in markdown
    assert (folder / "run" / "comparison.png").stat().st_size > 5000


def test_a_run_keeps_its_prompts_as_the_model_reads_them(folder):
    decoder, encoder_decoder = (
        json.loads((finetuned(folder, name).path / "examples.json").read_text()) for name in ("gpt", "t5")
    )
    assert len(decoder) == len(encoder_decoder) == 64
    assert all(text.startswith(("greet: ", "part: ")) and text.endswith("\n") for text in decoder)
    assert not any(text.endswith("\n") for text in encoder_decoder)
    pretrained = json.loads((folder / "run" / "pretrain" / "examples.json").read_text())
    assert len(set(pretrained)) == len(pretrained) > 50  # the corpus has 60 paragraphs


def test_a_finished_run_answers_with_the_prefix_of_the_task(folder):
    opened = OpenedRun.open(finetuned(folder, "gpt").path)
    settings = opened.generation_settings({"log_probabilities": True})
    assert settings.max_new_tokens == 8
    ((text, generation),) = RunGenerator(opened, opened.choose_task("part")).generate(["rain storm"], settings)
    record = generation_record(text, generation)
    assert (record["prompt"], record["texts"], record["was_cut"]) == ("rain storm", ["再见"], [False])
    assert len(record["log_probabilities"][0]) == 7  # six bytes and the end
    with pytest.raises(UserError, match="number 2 is empty"):
        list(RunGenerator(opened, "part").generate(["rain storm", " "], settings))


def test_evaluation_judges_pairs_by_a_finetuned_run_and_text_by_a_pretrained_one(folder, tmp_path):
    write_pairs(tmp_path / "fresh.tsv", "hey", count=5, seed=9)
    opened = OpenedRun.open(finetuned(folder, "t5").path)
    source = PairTableSource(paths=[str(tmp_path / "fresh.tsv")])
    figures = evaluate_pairs(opened, source, "greet", opened.generation_settings({}), tmp_path / "judged")
    assert (figures["examples"], figures["exact_match"]) == (5, 100.0)
    assert json.loads((tmp_path / "judged" / "evaluation.json").read_text()) == figures
    assert len((tmp_path / "judged" / "outputs.jsonl").read_text().splitlines()) == 5

    text = "Rain and storm near the old ship.\n" * 20
    (tmp_path / "x.txt").write_text(text)
    figures = evaluate_text(OpenedRun.open(folder / "run" / "pretrain"), tmp_path / "x.txt")
    assert figures["bytes"] == len(text.rstrip())
    assert figures["tokens"] == figures["bytes"] + 1


def test_tensorboard_shows_bits_a_byte_written_text_and_answers(folder):
    events = EventAccumulator(str(folder / "run" / "pretrain" / "logs"), size_guidance={"tensors": 0}).Reload()
    assert {"validation/bits_per_byte", "written_text"} <= set(events.Tags()["tensors"])
    assert [event.step for event in events.Tensors("written_text")] == [20, 40]
    events = EventAccumulator(str(finetuned(folder, "t5").logs), size_guidance={"tensors": 0}).Reload()
    shown = events.Tensors("examples_part")[0].tensor_proto.string_val[0].decode()
    assert "| 再见 | 再见 |" in shown


def tfplm(*arguments, lines: str | None = None):
    """The command in this process: TensorFlow is there already."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=lines)


def test_the_command_answers_prompts_and_lines(folder):
    run = finetuned(folder, "gpt").path
    answer = tfplm("generate", run, "rain storm", "frost cargo", "--task", "part")
    assert (answer.exit_code, answer.stdout) == (0, "再见\n再见\n")
    answer = tfplm(
        "generate", run, "--task", "greet", "--json", "--max-new-tokens", "2", lines="rain storm\nfrost cargo\n"
    )
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [record["prompt"] for record in records] == ["rain storm", "frost cargo"]
    assert [(record["texts"], record["was_cut"]) for record in records] == [(["he"], [True])] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "sing", "x"], "Known are greet, part."),
        (["x"], "knows several tasks"),
        (["--task", "part", ""], "number 1 is empty"),
        (["--task", "part", "--temperature", "0", "x"], "temperature: input should be greater than 0"),
        (["--task", "part", "--stop", "", "x"], "stop string is empty"),
        (["--task", "part", "--max-new-tokens", "40", "x" * 20], "Set max_new_tokens="),
    ],
)
def test_what_cannot_be_answered_is_told_with_exit_code_2(folder, arguments, message):
    answer = tfplm("generate", finetuned(folder, "gpt").path, *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_the_best_model_leaves_with_the_command_that_writes_with_it(folder):
    values = experiment(folder).model_copy(update={"export": ExportConfig(formats=["tflite"])})

    def export(run, format_name, out, replace):
        out.mkdir(parents=True)
        (out / "generate.py").touch()

    summary = run_experiment(values, Progress.silent(), export)
    best = dict(summary.artefacts)["best model"]
    assert f"tfplm generate {best} --task greet 'a text'" in summary.commands
    runner = folder / "run" / "export" / "tflite" / "generate.py"
    assert any(command.startswith(f"python {runner} '") for command in summary.commands)

    alone = values.model_copy(update={"finetune": None, "output_dir": str(folder / "run")})
    (folder / "run" / "export").rename(folder / "export of the answering model")
    summary = run_experiment(alone, Progress.silent(), export)
    pretrained = folder / "run" / "pretrain"
    assert f"tfplm generate {pretrained} 'a beginning' --strategy sample --top-p 0.9" in summary.commands
