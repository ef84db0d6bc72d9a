import json

from benchmarks import machine
from benchmarks.tasks import table
from benchmarks.tasks.sets import SETS


def result(accuracy: float, seconds: float) -> dict:
    return {
        "figures": {"accuracy": accuracy, "macro F1": accuracy},
        "training_seconds": seconds,
        "command_seconds": seconds + 6,
        "training": {"steps": 9},
    }


def results(*entries: dict) -> dict:
    settings = {"quick": False, "seeds": [0, 1], "threads": 2, "checkpoint": "model"}
    return {"command": "python", "machine": machine.describe(), "settings": settings, "sets": list(entries)}


def entry(**by_contender) -> dict:
    named = {name.replace("_", " "): by_seed for name, by_seed in by_contender.items()}
    return table.summary(SETS["trec"], "scratch", {"train": 3}, SETS["trec"].scratch, named)


def test_table_shows_figures_with_spread_minutes_and_who_is_ahead(tmp_path):
    own = {0: result(0.95, 60), 1: result(0.97, 60)}
    overlapping, behind = {0: result(0.96, 120), 1: result(0.94, 180)}, {0: result(0.9, 60), 1: result(0.9, 60)}
    written = results(entry(tfplm=own, Hugging_Face=overlapping, Other=behind))
    table.write(written, tmp_path)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| TREC | from scratch | tfplm | accuracy 96.0 ± 1.4 | 1.0 min | 1.1 min |  |  |" in text
    assert "| Hugging Face | accuracy 95.0 ± 1.4 | 2.5 min | 2.6 min | +1.0, seeds overlap | 2.50 × |" in text
    assert "| Other | accuracy 90.0 ± 0.0 | 1.0 min | 1.1 min | +6.0 | 1.00 × |" in text
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert kept["sets"][0]["rows"][0]["figures"]["accuracy"]["values"] == [0.95, 0.97]
    assert kept["sets"][0]["recipe"]["learning_rate"] == 5e-4


def test_one_seed_is_called_so_and_speed_is_compared_on_the_same_seeds():
    text = table.markdown(results(entry(tfplm={0: result(0.9, 60)}, Other={0: result(0.8, 90), 1: result(0.8, 999)})))
    assert "| +10.0, one seed | 1.50 × |" in text


def test_a_contender_that_failed_has_a_row_that_says_so():
    text = table.markdown(results(entry(tfplm={0: result(0.9, 60)}, Other={0: {"problem": "failed: a|b"}})))
    assert r"| TREC | from scratch | Other | failed: a\|b |  |  |  |  |" in text
