import json

import pytest

from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.judging import figures_of
from benchmarks.tasks.sets import SETS, write_files
from tests.benchmarks.tasks.assignments import assignment_of
from tests.benchmarks.tasks.mini_sets import write_sets

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] where does the meet cafe number ? . is good bad ann rowed sang tom in boat rows"
)
_CHARACTERS = "小明在第天走进图书馆，借了两本。哪里？没去0123456789"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("sets"))


def trained(name: str, data, tmp_path) -> dict:
    """Figures of a tiny peer from scratch, after the assignment went through JSON as in the benchmark."""
    from benchmarks.tasks.peers import transformers_torch

    (tmp_path / "vocabulary/tokenizer").mkdir(parents=True)
    vocabulary = [*_WORDS.split(), *_CHARACTERS]
    (tmp_path / "vocabulary/tokenizer/vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    files = write_files(name, SETS[name], data, tmp_path, is_quick=False)
    (tmp_path / "run").mkdir()
    given = assignment_of(tmp_path, kind=SETS[name].kind, train=files.paths["train"], test=files.paths["test"])
    given = Assignment.from_json(json.dumps(given.values()))
    figures = transformers_torch.train(given)
    assert figures["steps"] > 0
    assert figures["seconds"] > 0
    return figures_of(SETS[name], given.test, transformers_torch.answer(given))


@pytest.mark.parametrize("name", ["trec", "rte", "conll2000"])
def test_a_peer_learns_and_answers_every_example(name, data, tmp_path):
    figures = trained(name, data, tmp_path)
    assert all(0.0 <= value <= 1.0 for value in figures.values())


def test_a_peer_answers_questions_with_parts_of_the_passage(data, tmp_path):
    pytest.importorskip("trainers.metrics.question_answering")
    figures = trained("cmrc2018", data, tmp_path)
    assert all(0.0 <= value <= 1.0 for value in figures.values())


def test_best_span_is_in_the_passage_in_order_and_no_longer_than_allowed():
    from benchmarks.tasks.peers.answering import best_span

    starts, ends = torch.tensor([9.0, 0.0, 3.0, 1.0, 2.0, 9.0]), torch.tensor([9.0, 5.0, 0.0, 1.0, 4.0, 9.0])
    passage = [False, True, True, True, True]  # the sixth is padding
    assert best_span(starts, ends, passage, max_length=9) == (7.0, 2, 4)
    assert best_span(starts, ends, passage, max_length=2) == (6.0, 4, 4)
    assert best_span(starts, ends, [False] * 5, max_length=2) is None
