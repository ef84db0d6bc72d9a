import json
from collections import Counter

import numpy as np
import pytest

from tests.tfplm.data.question_sets import city_documents, write_squad
from tests.workplace import alone
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.finetuning_configuration import QuestionFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_task
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.training import train_wordpiece
from tfplm.training_configuration import RuntimeConfig
from trainers.evaluate import evaluate_run
from trainers.finetune import Finetuner, KindData
from trainers.predict import predict_run
from trainers.task_kinds.question_answering import QuestionAnsweringKind
from trainers.task_kinds.registry import kind_of

CANDIDATE = {
    "model": {"type": "lstm", "embedding_dim": 16, "hidden_dim": 16, "max_sequence_length": 40},
    "epochs": 2,
    "optimizer": {"learning_rate": 0.02},
}


class Heard(Progress):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(quiet=True)
        self._silent = True
        self.heard: list[str] = []

    def message(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_squad(tmp_path_factory.mktemp("data") / "cities.json", city_documents(2, impossible=True))


def config_of(source, **task) -> QuestionFinetuneConfig:
    settings = {"type": "question_answering", "stride": 8, "max_question_length": 12, "max_answer_length": 2}
    values = {
        "task": settings | task,
        "data": {"train": source.model_dump()},
        "candidates": {"lstm": CANDIDATE},
        "sequence_length": 32,
        "batch_size": 16,
    }
    return validate(QuestionFinetuneConfig, values, "test")


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    """A run on questions of which some have no answer, and what was said meanwhile."""
    config, progress = config_of(source), Heard()
    kind = kind_of(config)
    data = kind.load(0)
    tokenizer = train_wordpiece(kind.training_texts(data), WordPieceConfig(vocabulary_size=90, min_frequency=1))
    tuner = Finetuner(config, RuntimeConfig(), KindData(kind, data), tokenizer, progress, alone())
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    tuner.train("lstm", config.candidates["lstm"], None, run, 3, "mark")
    return run, progress.heard


def test_a_run_is_judged_as_squad_is_beside_the_nearest_sentence(trained):
    run, _ = trained
    report = run.read_report()
    assert report["rows"]["windows"] > report["rows"]["questions"] == 36
    for split in ("validation", "test"):
        figures = report[split]
        assert figures["examples"] == 12
        assert figures["has_answer"]["examples"] == 8 and figures["no_answer"]["examples"] == 4
        assert 0 <= figures["exact_match"] <= figures["f1"] <= 100
        assert figures["nearest_sentence"]["f1"] > 0
        assert set(figures["intervals"]) == {"f1", "exact_match"}


def test_validation_questions_are_answered_behind_every_epoch(trained):
    run, _ = trained
    report = run.read_report()
    curve = [epoch["val_f1"] for epoch in report["history"]]
    assert len(curve) == 2
    assert curve[report["best_epoch"] - 1] == max(curve) == pytest.approx(report["validation"]["f1"])
    assert all(0 <= epoch["val_exact_match"] <= epoch["val_f1"] for epoch in report["history"])


def test_what_was_cut_is_said(trained):
    _, heard = trained
    assert any("36 questions give" in text and "without an answer" in text for text in heard)
    assert any("24 answers are longer than finetune.task.max_answer_length, 2 tokens" in text for text in heard)


def test_the_threshold_of_no_answer_is_chosen_on_validation_and_kept(trained):
    run, _ = trained
    task = load_task(run.model)
    assert task.config.no_answer_threshold is not None
    # On validation no other threshold is better: to answer always, or never.
    figures = run.read_report()["validation"]
    assert figures["f1"] >= 33.3


def test_a_run_answers_and_is_evaluated_on_a_file(trained, source):
    run, _ = trained
    passage = "Berlin was founded in 1006 by monks. 重庆很大。"
    (answer,) = predict_run(run.path, [{"question": "Who founded Berlin?", "passage": passage}])
    assert list(answer) == ["question", "passage", "answer", "start", "end", "score", "no_answer_score"]
    if answer["start"] >= 0:
        assert passage[answer["start"] : answer["end"]] == answer["answer"]
    figures = evaluate_run(run.path, source.paths[0])
    assert figures["examples"] == 60
    assert len(json.loads((run.path / "examples.json").read_text())[0]) == 2
    with pytest.raises(UserError, match="text_column means nothing here"):
        evaluate_run(run.path, source.paths[0], columns={"text_column": "question"})


def kind_with(source, **task) -> QuestionAnsweringKind:
    return kind_of(config_of(source, **task))


def test_answers_are_judged_by_every_reference(source):
    kind = kind_with(source)
    examples = kind.load(0).test
    answers = [references[0] if references else "" for references in examples.references]
    found = {
        "answer": np.array([text.encode() for text in answers], object),
        "no_answer_score": np.zeros(len(answers), np.float32),
    }
    assert kind.figures(found, examples, [])["exact_match"] == 100.0
    assert kind.errors(found, examples, []) == []
    found["answer"][:] = b"nothing"
    wrong = kind.errors(found, examples, [])
    assert len(wrong) == len(examples)
    assert "data[" in wrong[0]["origin"]
    lines = "\n".join(kind.detail_lines(kind.figures(found, examples, [])))
    assert "| without | 4 | 0.0 | 0.0 |" in lines
    assert "the nearest sentence" in lines


def test_the_data_is_described(source):
    kind = kind_with(source)
    lines = "\n".join(kind.data_lines(kind.load(0).figures))
    assert "| train | 36 | 12 | 12 | 6 |" in lines
    assert kind.paths()[0].name == "cities.json"
    dropped = Counter()
    assert len(kind.read_examples(kind.evaluation_source(kind.paths()[0], {}), [], dropped)) == 60


def test_the_number_of_windows_is_guessed_before_there_is_a_tokenizer(source):
    kind = kind_with(source)
    data = kind.load(0)
    assert kind.num_rows(data, 4000) == len(data.train)
    assert kind.num_rows(data, 24) > len(data.train)


def test_a_window_without_room_for_a_passage_is_a_mistake_of_the_configuration(source):
    with pytest.raises(UserError, match="sequence_length 32 has no room for a passage beside a question of 28 tokens"):
        config_of(source, max_question_length=28)
