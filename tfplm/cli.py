"""The command line: of tfplm only this module and those of its commands import trainers and export, inside functions.

A configuration is read and validated before TensorFlow is imported: a typing mistake is answered at once.
"""

import enum
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import tfplm
from tfplm import cli_fill_mask, cli_studies
from tfplm.command_input import (
    evaluation_pairs,
    grouped_texts,
    only_one,
    refuse_options,
    require_utf8,
    standard_input_lines,
    standard_input_texts,
)
from tfplm.command_manners import (
    ConfigArgument,
    DebugOption,
    OverridesArgument,
    OverwriteOption,
    QuietOption,
    answers_people,
    load_with_section,
)
from tfplm.config import dump_config, load_config
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.quiet_start import quiet_start

app = typer.Typer(
    name="tfplm",
    help="From raw text to a language model that answers on a server or on a phone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_studies.app)
app.add_typer(cli_fill_mask.app)

WritingRunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a pretrained or fine-tuned run whose model writes.")
]


class ExportFormat(enum.StrEnum):
    """The forms in which a run leaves."""

    saved_model = "saved_model"
    tflite = "tflite"
    huggingface = "huggingface"


class Strategy(enum.StrEnum):
    """The ways to choose the next token."""

    greedy = "greedy"
    sample = "sample"
    beam = "beam"
    contrastive = "contrastive"


class TrainingStage(enum.StrEnum):
    """The stages that train."""

    pretrain = "pretrain"
    finetune = "finetune"


def main() -> None:
    """Entry point of the command ``tfplm``."""
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(errors="backslashreplace")
    app(prog_name="tfplm")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tfplm {tfplm.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """From raw text to a language model that answers on a server or on a phone."""


@app.command()
@answers_people(resumable=True)
def run(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Do every stage that the file names, from raw text to the exported model."""
    experiment = load_config(ExperimentConfig, config, overrides or [])
    with quiet_start(debug):
        from export.runs import export_run
        from trainers.experiment import run_experiment
    summary = run_experiment(experiment, Progress(quiet=quiet), export_run, overwrite=overwrite)
    width = max((len(description) for description, _ in summary.artefacts), default=0)
    for description, path in summary.artefacts:
        typer.echo(f"{description:<{width}}  {path}")
    if summary.commands:
        typer.echo("\n".join(["", "Use it:", *(f"  {command}" for command in summary.commands)]))


@app.command()
@answers_people(resumable=True)
def tokenizer(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Learn the vocabulary that every later stage uses."""
    experiment = load_config(ExperimentConfig, config, overrides or [])
    typer.echo(_stages(debug).run_tokenizer(experiment, Progress(quiet=quiet), overwrite=overwrite))


@app.command()
@answers_people(resumable=True)
def prepare(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Turn the corpus into shards of token ids."""
    experiment = load_with_section("corpus", config, overrides)
    typer.echo(_stages(debug).run_prepare(experiment, Progress(quiet=quiet), overwrite=overwrite))


@app.command()
@answers_people(resumable=True)
def pretrain(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Learn a language model from the prepared corpus."""
    experiment = load_with_section("pretrain", config, overrides)
    typer.echo(_stages(debug).run_pretrain(experiment, Progress(quiet=quiet), overwrite=overwrite))


@app.command()
@answers_people(resumable=True)
def finetune(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Learn a task from examples, and compare the candidates."""
    experiment = load_with_section("finetune", config, overrides)
    typer.echo(_stages(debug).run_finetune(experiment, Progress(quiet=quiet), overwrite=overwrite))


@app.command()
@answers_people()
def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A finished run, an exported directory, or one of its TFLite files.")
    ],
    data: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="As the training data; may be given again. Of a pretrained writer: text."),
    ],
    text_column: Annotated[str | None, typer.Option(help="Of texts. Default: as in training.")] = None,
    text_pair_column: Annotated[str | None, typer.Option(help="Of second texts. Default: as in training.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Of their labels. Default: as in training.")] = None,
    source_column: Annotated[str | None, typer.Option(help="Of texts to answer. Default: as in training.")] = None,
    target_column: Annotated[str | None, typer.Option(help="Of their answers. Default: as in training.")] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Which of the run's tasks the pairs are of.")] = None,
    slice_by: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Figures by its values, too.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write report, pictures and events here.")] = None,
    debug: DebugOption = False,
) -> None:
    """Measure a run or an export on labelled data, on pairs, or on plain text; the figures come as JSON."""
    from trainers.opened_run import OpenedRun, is_export

    opened = None if is_export(run) else OpenedRun.open(run)
    of_labels = {
        "--text-column": text_column,
        "--text-pair-column": text_pair_column,
        "--label-column": label_column,
    }
    of_pairs = {"--source-column": source_column, "--target-column": target_column}
    if opened is None or not opened.writes:
        if opened is not None:
            opened.require_answers("tfplm evaluate")
        refuse_options(of_pairs | {"--task": task}, "does not write")
        columns = {name.removeprefix("--").replace("-", "_"): value for name, value in of_labels.items() if value}
        with quiet_start(debug):
            from trainers.evaluate import evaluate_run
        figures = evaluate_run(run, data, out, columns, slice_by or ())
    elif opened.stage == "finetune" or opened.task_type == "seq2seq_lm" and opened.stage == "import":
        refuse_options(of_labels, "writes answers")
        name = opened.choose_task(task) or "imported"
        trained_on = opened.config["tasks"][name]["data"]["train"] if opened.stage == "finetune" else {}
        pairs = evaluation_pairs(trained_on, only_one(data), source_column, target_column)
        with quiet_start(debug):
            from trainers.evaluate_text import evaluate_pairs
        figures = evaluate_pairs(opened, pairs, name, opened.generation_settings({}), out)
    else:
        refuse_options(of_labels | of_pairs | {"--task": task}, "reads plain text")
        with quiet_start(debug):
            from trainers.evaluate_text import evaluate_text
        figures = evaluate_text(opened, only_one(data), out)
    typer.echo(json.dumps(figures, ensure_ascii=False, indent=2))


@app.command()
@answers_people()
def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A fine-tuned run, an exported directory, or one of its TFLite files.")
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="Where an answer is made of several strings: one behind the other. Default: standard input.",
            show_default=False,
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Answer texts: one JSON object a line on standard output."""
    from trainers.opened_run import answer_inputs

    inputs = answer_inputs(run, "tfplm predict")
    given = grouped_texts(inputs, texts) if texts else standard_input_texts(inputs)
    with quiet_start(debug):
        from trainers.predict import predict_run
    for answer in predict_run(run, given):
        typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command()
@answers_people()
def generate(
    run: WritingRunArgument,
    prompts: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Default: the lines of standard input.", show_default=False),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a fine-tuned run: its prefix goes before every prompt.")
    ] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="Default: the run's, or greedy.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Default: the run's, or 128.")] = None,
    min_new_tokens: Annotated[int | None, typer.Option(help="The text does not end before.")] = None,
    temperature: Annotated[float | None, typer.Option(help="sample: below 1 likely tokens are likelier still.")] = None,
    top_k: Annotated[
        int | None, typer.Option(help="sample: of the k likeliest tokens; contrastive: among them.")
    ] = None,
    top_p: Annotated[float | None, typer.Option(help="sample: of the fewest tokens of this probability.")] = None,
    min_p: Annotated[float | None, typer.Option(help="sample: of tokens so likely beside the likeliest.")] = None,
    num_beams: Annotated[int | None, typer.Option(help="beam: texts that are followed at once.")] = None,
    length_penalty: Annotated[float | None, typer.Option(help="beam: over 1 favours longer texts.")] = None,
    penalty_alpha: Annotated[float | None, typer.Option(help="contrastive: share of unlikeness.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="Over 1: against tokens that were there.")] = None,
    no_repeat_ngram_size: Annotated[int | None, typer.Option(help="No n tokens come twice.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="The text ends before it; may be given again.")] = None,
    num_samples: Annotated[int | None, typer.Option(help="sample, beam: texts for each prompt.")] = None,
    seed: Annotated[int | None, typer.Option(help="sample: the same seed gives the same text.")] = None,
    log_probabilities: Annotated[bool | None, typer.Option("--log-probabilities", help="With --json.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object a prompt and line.")] = False,
    debug: DebugOption = False,
) -> None:
    """Write on behind prompts, or answer them; one prompt comes as it is written where the output is a terminal."""
    from trainers.opened_run import OpenedRun

    given = {
        "strategy": strategy.value if strategy is not None else None,
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": min_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "penalty_alpha": penalty_alpha,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "stop": stop or None,
        "num_samples": num_samples,
        "seed": seed,
        "log_probabilities": log_probabilities,
    }
    opened = OpenedRun.open(run)
    opened.require_writer()
    settings = opened.generation_settings({name: value for name, value in given.items() if value is not None})
    task = opened.choose_task(task)
    require_utf8(prompts or [])
    with quiet_start(debug):
        from trainers.generate import RunGenerator, generation_record
    writer = RunGenerator(opened, task)
    is_one_text = len(prompts or []) == 1 and settings.num_samples == 1
    if is_one_text and sys.stdout.isatty() and not json_output:
        for piece in writer.stream(prompts[0], settings):
            typer.echo(piece, nl=False)
        typer.echo()
        return
    for text, generation in writer.generate(prompts or standard_input_lines(), settings):
        if json_output:
            typer.echo(json.dumps(generation_record(text, generation), ensure_ascii=False))
        else:
            for written in generation.texts:
                typer.echo(written if is_one_text else " ".join(written.splitlines()))


@app.command()
@answers_people()
def export(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Directory of a fine-tuned run or one that writes; to huggingface: any."),
    ],
    format: Annotated[ExportFormat, typer.Option(help="For a server, for a phone, or for transformers.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A directory that is not there yet.")],
    debug: DebugOption = False,
) -> None:
    """Write a run for its runtime, and prove there that it answers as the Keras model does."""
    from trainers.opened_run import OpenedRun

    opened = OpenedRun.open(run)
    if not opened.writes and format is not ExportFormat.huggingface:
        opened.require_answers(f"tfplm export --format {format.value}")
    with quiet_start(debug):
        from export.runs import export_run
    export_run(run, format.value, out)
    typer.echo(out)


@app.command("import")
@answers_people()
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Folder of a checkpoint, package:NAME.FOLDER, or its name on the Hugging Face Hub."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="A directory that is not there yet.")],
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: what its head is for; another head is new.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Class names of a new classifier. Default: its own.")
    ] = None,
    revision: Annotated[str | None, typer.Option(metavar="COMMIT", help="On the Hub: a commit or a tag.")] = None,
    debug: DebugOption = False,
) -> None:
    """Take a checkpoint of Hugging Face, KerasHub, Model Garden or TensorFlow 1 as a run; PyTorch is not needed."""
    with quiet_start(debug):
        from tfplm.interop.run_import import import_run
    names = labels.split(",") if labels is not None else None
    report = import_run(source, out, task, names, revision)
    typer.echo(
        f"{report['parameters']:,} parameters, task {report['task']}, {report['vocabulary_size']:,} tokens: {out}"
    )
    for title, listed in (("New, with initial values", "new_variables"), ("Left out", "tensors_left_out")):
        if report[listed]:
            typer.echo(f"{title}: {', '.join(report[listed])}")


@app.command("apply-adapter")
@answers_people()
def apply_adapter(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The run that the adapter was learned on.")],
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="Folder adapter/ of a run fine-tuned with lora.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="A directory that is not there yet.")],
    debug: DebugOption = False,
) -> None:
    """Make a run out of its pretrained model and a LoRA adapter, which is about a hundredth of its size."""
    with quiet_start(debug):
        from trainers.adapters import apply_adapter as apply
    report = apply(base, adapter, out)
    typer.echo(f"{report['parameters']:,} parameters: {out}" if "parameters" in report else str(out))


@app.command("verify-resume")
@answers_people()
def verify_resume(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    kills: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    stage: Annotated[TrainingStage, typer.Option(help="To be killed.")] = TrainingStage.pretrain,
    seed: Annotated[int, typer.Option(help="Of the points in time.")] = 0,
    with_sigterm: Annotated[bool, typer.Option("--with-sigterm", help="Every fourth kill is a preemption.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Kill a stage at random points until it ends, and prove that it equals an unbroken run bit for bit."""
    experiment = load_with_section(stage.value, config, overrides)
    with quiet_start(debug):
        from trainers.verify_resume import verify_resume as verify
    progress = Progress.silent() if quiet else Progress()
    verification = verify(experiment, stage.value, kills, seed, progress, with_sigterm)
    typer.echo(verification.table())
    if not verification.has_passed:
        raise typer.Exit(1)


@app.command()
@answers_people()
def doctor(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    json_output: Annotated[bool, typer.Option("--json", help="Everything, as JSON on standard output.")] = False,
    calibrate: Annotated[bool, typer.Option(help="Time the matrix products of this machine.")] = True,
    debug: DebugOption = False,
) -> None:
    """Estimate what training costs on this machine, and name what would slow it down, before anything is spent."""
    experiment = load_config(ExperimentConfig, config, overrides or [])
    with quiet_start(debug):
        from trainers.doctor import diagnose
        from trainers.doctor_report import print_diagnosis

        diagnosis = diagnose(experiment, calibrate)
    if json_output:
        typer.echo(json.dumps(diagnosis.record(), ensure_ascii=False, indent=2))
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.would_run:
        raise typer.Exit(2)


@app.command("config")
@answers_people()
def show_config(config: ConfigArgument, overrides: OverridesArgument = None, debug: DebugOption = False) -> None:
    """Show the configuration with every default spelled out."""
    typer.echo(dump_config(load_config(ExperimentConfig, config, overrides or [])), nl=False)


def _stages(debug: bool) -> Any:
    with quiet_start(debug):
        from trainers import stages
    return stages
