import io
import os
import pty
import re
import threading

import pytest

from tfplm.progress import Progress, format_figure, format_rate, format_seconds


def test_pipe_gets_one_plain_line_at_the_end_of_a_short_task():
    stream = io.StringIO()
    with Progress(stream).task("masking", total=1200, unit="rows") as task:
        for _ in range(12):
            task.advance(100, loss=2.41)
    assert re.fullmatch(r"masking: 1,200 rows in 0\.\d s, [\d,]+ rows/s, loss 2\.41\n", stream.getvalue())


def test_pipe_gets_share_rate_and_time_left_while_a_task_is_under_way():
    stream = io.StringIO()
    with Progress(stream, seconds_between_lines=0).task("masking", total=4, unit="rows") as task:
        task.advance()
        task.advance()
    second = stream.getvalue().splitlines()[1]
    assert re.fullmatch(r"masking: 2/4 rows \(50 %\), \S+ rows/s, 0\.\d s left", second)


def test_lines_on_a_pipe_keep_their_distance():
    stream = io.StringIO()
    with Progress(stream, seconds_between_lines=60).task("masking", total=None, unit="rows") as task:
        for _ in range(1000):
            task.advance()
    assert len(stream.getvalue().splitlines()) == 1


def test_units_of_an_earlier_run_do_not_count_in_the_rate():
    stream = io.StringIO()
    progress = Progress(stream, seconds_between_lines=0)
    with progress.task("training", total=10**9, unit="steps", completed=10**9 - 1) as task:
        task.advance()
    rate = re.search(r"1,000,000,000 steps in .*, (\S+) steps/s", stream.getvalue())[1]
    assert float(rate.replace(",", "")) < 10**7


def test_task_that_fails_does_not_say_that_it_is_done():
    stream = io.StringIO()
    with pytest.raises(ValueError), Progress(stream).task("masking", total=4, unit="rows"):
        raise ValueError
    assert stream.getvalue() == ""


def test_quiet_shows_messages_only():
    stream = io.StringIO()
    progress = Progress(stream, quiet=True, seconds_between_lines=0)
    with progress.task("masking", total=4, unit="rows") as task:
        task.advance(4)
    progress.message("prepare: done")
    assert stream.getvalue() == "prepare: done\n"


def test_silent_shows_nothing(capfd):
    progress = Progress.silent()
    with progress.task("masking", total=4, unit="rows") as task:
        task.advance(4)
    progress.message("prepare: done")
    assert capfd.readouterr() == ("", "")


def test_standard_output_stays_clean(capfd):
    progress = Progress()
    with progress.task("masking", total=4, unit="rows") as task:
        task.advance(4)
    progress.message("prepare: done")
    written = capfd.readouterr()
    assert written.out == ""
    assert "prepare: done" in written.err


def test_advances_of_several_threads_all_count():
    stream = io.StringIO()
    with Progress(stream).task("encoding", total=4000, unit="rows") as task:
        threads = [threading.Thread(target=lambda: [task.advance() for _ in range(1000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "encoding: 4,000 rows" in stream.getvalue()


def test_terminal_gets_bars_with_counts_and_figures(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    reader, writer = pty.openpty()
    with open(writer, "w") as terminal:  # noqa: PTH123 - a file descriptor has no path
        progress = Progress(terminal)
        with progress.task("outer", total=2, unit="stages") as outer:
            with progress.task("training [MASK]", total=5, unit="steps") as task:
                task.advance(5, loss=0.25)
                progress.message("a message with [brackets]")
            outer.advance(2)
        progress.message("after the bars")
        terminal.flush()
        shown = os.read(reader, 1 << 20).decode()
    os.close(reader)
    for part in ("training [MASK]", "5/5 steps", "loss 0.25", "2/2 stages", "a message with [brackets]", "after the"):
        assert part in shown


@pytest.mark.parametrize(
    ("value", "text"), [(12500, "12,500"), (0.03125, "0.03125"), (12345.67, "12,345.7"), (3.0, "3"), ("a", "a")]
)
def test_figures_are_readable(value, text):
    assert format_figure(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (65, "1:05"), (7390, "2:03:10")])
def test_durations_are_readable(seconds, text):
    assert format_seconds(seconds) == text


def test_rates_are_readable():
    assert format_rate(14200.4, "tokens") == "14,200 tokens/s"
    assert format_rate(2.3456, "steps") == "2.35 steps/s"
