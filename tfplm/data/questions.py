"""Questions with passages that answer them: read, split so that no passage parts, and counted."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from tfplm.data.bad_examples import BadExamples
from tfplm.data.cleaning import clean_text
from tfplm.data.example_splits import IN_EVALUATION, REPEATED, choose_examples, without_repeats
from tfplm.data.question_checks import FOUND_ELSEWHERE, NOT_IN_PASSAGE, BadQuestion, check_entry
from tfplm.data.question_configuration import QuestionDataConfig, QuestionSource
from tfplm.data.question_files import read_entries
from tfplm.data.question_set import Question, Questions
from tfplm.data.sources import part_digests
from tfplm.data.splits import SPLITS, TEST, TRAIN, VALIDATION, divide_by_group, require_groups
from tfplm.errors import UserError

_SETTING = "finetune.data.on_bad_example"


@dataclass
class QuestionData:
    """The three splits of one task; no group and no passage is in two of them."""

    train: Questions
    validation: Questions
    test: Questions
    figures: dict[str, Any]


def load_questions(config: QuestionDataConfig, seed: int) -> QuestionData:
    """Reads, splits and counts questions; equal arguments give equal data.

    What evaluation has, by the passage or by the group, training does not have, nor validation what the test has.

    Args:
        config: the sources and how they are split.
        seed: of the split and of the choice of questions.

    Returns:
        The splits. ``figures`` holds for every split the numbers of questions, of those without an answer, of groups,
        passages and characters; under ``dropped`` the questions left out by reason, bad ones among them; and how many
        answers were found elsewhere than at their offset, or not at all in the passage.

    Raises:
        UserError: a source cannot be read, a question is bad and may not be left out, or there is too little to split.
    """
    splits, dropped, notes = _split(config, seed)
    limits = dict.fromkeys(SPLITS, config.max_evaluation_examples) | {TRAIN: config.max_train_examples}
    chosen = choose_examples(splits, limits, config, seed)
    figures: dict[str, Any] = {
        name: _count(questions) | {"available_examples": len(splits[name])} for name, questions in chosen.items()
    }
    figures["dropped"] = {REPEATED: 0, IN_EVALUATION: 0, **dropped}
    figures |= {name: notes[name] for name in (FOUND_ELSEWHERE, NOT_IN_PASSAGE)}
    return QuestionData(**{name: Questions(questions) for name, questions in chosen.items()}, figures=figures)


def read_questions(
    source: QuestionSource, config: QuestionDataConfig, dropped: Counter[str], notes: Counter[str] | None = None
) -> list[Question]:
    """Reads every question of one source in its order; nothing is split, and repeats stay.

    Args:
        source: the files.
        config: what is bad and what a group is; its sources are not read.
        dropped: counts, by reason, the questions that are left out; added to.
        notes: counts answers that are not at their offset; added to.

    Raises:
        UserError: a file cannot be read, a question is bad and may not be left out, or none is left.
    """
    notes = Counter() if notes is None else notes
    bad = BadExamples(config.on_bad_example, _SETTING)
    questions: dict[str, Question] = {}
    for entry in read_entries(source):
        try:
            question = check_entry(entry, config.group, config.answers_elsewhere, notes)
            if question.id in questions:
                first = questions[question.id].origin
                raise BadQuestion("an id that stands there twice", f"the id {question.id!r} of {first} again")
        except BadQuestion as error:
            bad.add(entry.origin, error.reason, error.details)
        else:
            questions[question.id] = question
    bad.finish()
    dropped.update(bad.counts)
    if not questions:
        left_out = f"Left out: {dict(bad.counts)}." if bad.counts else ""
        raise UserError(f"There is no question in {describe_question_source(source)}.", left_out)
    return list(questions.values())


def describe_question_source(source: QuestionSource) -> str:
    """The source in a few words, for messages."""
    return (f"the package '{source.package}': " if source.package else "") + ", ".join(source.paths)


def held_out_passages(config: QuestionDataConfig, seed: int) -> set[str]:
    """What pretraining must not see: digests of the passages of validation and test, of their paragraphs and lines.

    Args:
        config: the sources and how they are split.
        seed: of the split.
    """
    splits, _, _ = _split(config, seed)
    passages = {question.passage for name in (VALIDATION, TEST) for question in splits[name]}
    return set().union(*(part_digests(clean_text(passage, config.cleaning)) for passage in passages))


def _split(config: QuestionDataConfig, seed: int) -> tuple[dict[str, list[Question]], Counter[str], Counter[str]]:
    """All questions of every split, before some are chosen; what was left out, and what was found elsewhere."""
    dropped: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    pool = _one_group_a_passage(read_questions(config.train, config, dropped, notes))
    if config.drop_repeats:
        pool = without_repeats(pool, dropped)
    given = {
        name: read_questions(source, config, dropped, notes)
        for name, source in ((VALIDATION, config.validation), (TEST, config.test))
        if source is not None
    }
    pool = _drop_shared(pool, [question for questions in given.values() for question in questions], dropped)
    splits = _divide(pool, config, given.keys(), seed) | given
    splits[VALIDATION] = _drop_shared(splits[VALIDATION], splits[TEST], dropped)
    if not splits[TRAIN]:
        raise UserError(
            f"No question is left to train on of {describe_question_source(config.train)}.",
            f"Left out: {dropped['in_evaluation']:,} whose passages validation and test have too.",
            "Name other files for training than for evaluation.",
        )
    return splits, dropped, notes


def _one_group_a_passage(questions: list[Question]) -> list[Question]:
    """A passage that stands in two documents belongs to the first."""
    group_of: dict[str, str] = {}
    for question in questions:
        group_of.setdefault(question.passage, question.group)
    return [
        question
        if question.group == group_of[question.passage]
        else replace(question, group=group_of[question.passage])
        for question in questions
    ]


def _divide(
    pool: list[Question], config: QuestionDataConfig, given: Collection[str], seed: int
) -> dict[str, list[Question]]:
    what = f"{describe_question_source(config.train)}: all {len(pool):,} questions"
    remedy = "Set finetune.data.group: passage, or name validation and test sources."
    require_groups([question.group for question in pool], config.split, given, what, remedy, config.group)
    return divide_by_group(pool, [()] * len(pool), config.split, given, seed)


def _drop_shared(questions: list[Question], others: list[Question], dropped: Counter[str]) -> list[Question]:
    """Leaves out what also stands, by passage, among others."""
    passages = {question.passage for question in others}
    kept = [question for question in questions if question.passage not in passages]
    dropped["in_evaluation"] += len(questions) - len(kept)
    return kept


def _count(questions: list[Question]) -> dict[str, int]:
    return {
        "examples": len(questions),
        "without_answer": sum(question.is_impossible for question in questions),
        "groups": len({question.group for question in questions}),
        "passages": len({question.passage for question in questions}),
        "question_characters": sum(len(question.question) for question in questions),
        "passage_characters": sum(map(len, {question.passage for question in questions})),
    }
