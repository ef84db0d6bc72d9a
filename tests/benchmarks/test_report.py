import json

from benchmarks import machine
from benchmarks.contender import Contender
from benchmarks.report import markdown, subject_results, write
from benchmarks.statistics import Row
from benchmarks.subjects import SUBJECTS


def results(name: str, *rows: Row) -> dict:
    return {
        "command": "python -m benchmarks",
        "machine": machine.describe(),
        "settings": {"rounds": 3, "seconds": 1.0},
        "subjects": [subject_results(name, SUBJECTS[name], {"float32": list(rows)})],
    }


def test_table_shows_rates_ratios_and_what_is_not_installed(tmp_path):
    own = Row(Contender("tfplm", "tfplm", "module", "jit"), [2000.0, 1000.0, 1500.0])
    peer = Row(Contender("KerasHub", "peer", "module"), [1000.0, 500.0, 750.0])
    ceiling = Row(Contender("product", "reference", "module"), [4000.0, 2000.0, 3000.0])
    missing = Row(Contender("Model Garden", "peer", "module"), problem="not installed")
    figures = results("train_step", own, peer, ceiling, missing)
    write(figures, tmp_path)
    text = markdown(figures)
    assert "|  |  | tokens/s | × best peer | × ceiling |" in text
    assert "| tfplm | jit | 1,500 (1,000–2,000) | 2.00 | 0.50 |" in text
    assert "| Model Garden |  | not installed |  |  |" in text
    assert (tmp_path / "results.md").read_text(encoding="utf-8") == text
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert written["subjects"][0]["groups"][0]["rows"][0]["rates"] == [2000.0, 1000.0, 1500.0]
    assert written["machine"]["packages"]["tensorflow"]


def test_start_up_is_shown_in_seconds():
    own = Row(Contender("tfplm", "tfplm", "module"), [4.0, 2.0, 1.0])
    assert "| tfplm |  | 0.5 (0.25–1) |  |  |" in markdown(results("startup", own))
