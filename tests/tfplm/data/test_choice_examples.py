import json

from tfplm.config import validate
from tfplm.data.choice_configuration import ChoiceDataConfig
from tfplm.data.choice_examples import held_out_questions, load_choice_data
from tfplm.data.sources import text_digest


def config(tmp_path, **settings):
    rows = [
        {"context": f"passage {n // 2}", "question": f"q {n}", "choices": ["a", "b", "c"][: 2 + n % 2], "label": n % 2}
        for n in range(60)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, [*rows, rows[0]])), encoding="utf-8")
    return validate(ChoiceDataConfig, {"train": {"type": "choices", "paths": [str(path)]}, **settings}, "test")


def test_questions_on_one_context_stay_together_and_are_counted(tmp_path):
    data = load_choice_data(config(tmp_path), 4, seed=0)
    contexts = [{example.context for example in split} for split in (data.train, data.validation, data.test)]
    assert not contexts[0] & contexts[1] and not contexts[0] & contexts[2] and not contexts[1] & contexts[2]
    assert sum(len(split) for split in (data.train, data.validation, data.test)) == 60
    assert data.figures["dropped"]["repeated"] == 1
    assert sum(data.figures["train"]["per_place"]) == len(data.train)


def test_pretraining_must_not_see_what_is_evaluated(tmp_path):
    settings = config(tmp_path)
    data, held_out = load_choice_data(settings, 4, 0), held_out_questions(settings, 4, 0)
    assert all(text_digest(text) in held_out for e in data.test for text in (e.context, e.question))
    assert not any(text_digest(example.context) in held_out for example in data.train)
