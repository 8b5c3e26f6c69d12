"""What is printed: as it was written in any encoding, fitting the terminal, and never the end of the work."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from rnnkit.cli import show
from rnnkit.system.terminal import results, results_alone, say, shown
from rnnkit.training.display import _columns
from tests.specs import BRIEF

HOSTILE = "[/x] :100: [red]a[/red] \x1b]0;title\x07 \u202eback \x9b2J é 狗 \ud800"
TOLD = "[/x] :100: [red]a[/red] \\x1b]0;title\\x07 \\u202eback \\x9b2J é 狗 \\ud800"


def rnnkit(
    *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "rnnkit", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, **(env or {})}
    )


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spec") / "small.toml"
    file.write_text(BRIEF)
    return file


@pytest.fixture(scope="module")
def foreign(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a word in every script, and one that would clear the screen."""
    folder = tmp_path_factory.mktemp("foreign") / "data"
    shutil.copytree(tiny_data, folder)
    file = folder / "vocab.json"
    words = json.loads(file.read_text())
    own = [word for word in words["idx_to_word"] if not word.startswith("<")]
    renamed = {own[0]: "狗", own[1]: ":100:", own[2]: "\x1b[2J", own[3]: "[/b]"}
    listed = [renamed.get(word, word) for word in words["idx_to_word"]]
    file.write_text(json.dumps({"idx_to_word": listed}))
    for written in folder.glob("captions_*.json"):
        written.unlink()
    return folder


@pytest.fixture(scope="module")
def run(spec: Path, foreign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    ran = rnnkit("train", spec, "--data", foreign, "--out", out)
    assert ran.returncode == 0, ran.stderr
    return out


def test_control_characters_are_shown_and_not_sent() -> None:
    assert shown(HOSTILE) == TOLD
    assert shown("two\nlines\tand a tab") == "two\nlines\tand a tab"
    assert shown("狗 é", "latin-1") == "\\u72d7 é"


def test_results_are_alone_while_others_print(capsys: pytest.CaptureFixture[str]) -> None:
    whole = sys.stdout
    with results_alone(), results_alone():
        print("text \x1b[1m", end="")
        sys.stdout.buffer.write("é \x9b \r\n".encode())
        say("a result")
        show.print_json({"a": 1})
        show.console().print("a table")
        assert results() is whole
    out, err = capsys.readouterr()
    assert out == 'a result\n{\n  "a": 1\n}\na table\n'
    assert err == "text \\x1b[1mé \\x9b \\r\n"
    assert sys.stdout is results() is whole


def test_results_are_alone_beside_a_bar_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with results_alone(), show.bar(to=show.console(), far=lambda: "") as progress:
        progress.add_task("working", total=1)
        print("noise \x1b]0;owned\x07 \x9b2J")
    assert "noise \\x1b]0;owned\\x07 \\x9b2J" in terminal.getvalue()
    assert not {"\x07", "\x9b"} & {*terminal.getvalue()}
    assert "\x1b]" not in terminal.getvalue()


def test_a_table_shows_names_as_they_are() -> None:
    stream = io.StringIO()
    rows: list[tuple[str | show.Cell, str]] = [(HOSTILE, "1"), (show.Cell("x", "red"), "23")]
    show.print_table(show.Plain(file=stream, width=200), ["name", ">n"], rows)
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        f"name{' ' * (len(TOLD) - 1)}n",  # 狗 takes two columns
        f"{TOLD}  1",
        f"x{' ' * (len(TOLD) + 1)}23",
    ]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        (200, ["name", "size", "files", "loss"]),
        (24, ["name", "size", "loss"]),
        (19, ["name", "loss"]),
    ],
)
def test_a_narrow_table_goes_without_columns_and_says_so(columns: int, titles: list[str]) -> None:
    stream = io.StringIO()
    show.print_table(
        show.Plain(file=stream, width=columns),
        ["name", ">size", ">files", ">loss"],
        [("lstm", "1,234", "12", "123,456.7")],
        spare=("files", "size"),
    )
    header, row, *_ = stream.getvalue().splitlines()
    assert header.split() == titles
    value = dict(
        zip(["name", "size", "files", "loss"], ["lstm", "1,234", "12", "123,456.7"], strict=True)
    )
    assert row.split() == [value[title] for title in titles]
    assert all(len(line) <= columns for line in stream.getvalue().splitlines())
    dropped = [title for title in ("files", "size") if title not in titles]
    assert (f"(no room for {', '.join(dropped)}" in " ".join(stream.getvalue().split())) == bool(
        dropped
    )


def test_a_table_in_no_room_at_all_folds_and_keeps_every_digit() -> None:
    stream = io.StringIO()
    show.print_table(show.Plain(file=stream, width=9), [">a", ">b"], [("123456", "654321")])
    _, *rows = stream.getvalue().splitlines()
    cells = [line[:4] for line in rows], [line[4:] for line in rows]
    assert ["".join("".join(part).split()) for part in cells] == ["123456", "654321"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("metric", ["nats", "cider"])
def test_the_lines_of_a_training_fit(width: int, metric: str) -> None:
    columns = _columns(metric, width)
    assert sum(2 + wide for _, wide, _ in columns) + len("best") <= width
    titles = [title for title, _, _ in columns]
    assert {"epoch", "val nats", "val perplexity"} <= {*titles}
    wide = _columns("cider", 2 * width, rewarded=True)
    assert {"epoch", "val nats", "reward", "val words", "cider"} <= {title for title, _, _ in wide}
    assert (metric in titles) == (metric != "nats")
    assert all(len(title) <= wide for title, wide, _ in columns)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "utf-8"])
def test_any_encoding_takes_everything(encoding: str, run: Path, foreign: Path) -> None:
    env = {"PYTHONIOENCODING": encoding}
    ran = rnnkit("caption", run, "--split", "train", "--n", "40", "--json", env=env)
    assert (ran.returncode, ran.stderr) == (0, b"")
    said = {
        word for item in json.loads(ran.stdout) for text in item["truth"] for word in text.split()
    }
    assert {"狗", ":100:", "\x1b[2J", "[/b]"} <= said
    ran = rnnkit("caption", run, "--split", "train", "--n", "40", env=env)
    assert (ran.returncode, ran.stderr) == (0, b"")
    text = ran.stdout.decode(encoding)
    told = "狗" if encoding in ("gbk", "utf-8") else "\\u72d7"
    assert {told, ":100:", "\\x1b[2J", "[/b]"} <= {*text.split()}
    assert "\x1b" not in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_training_outlives_a_full_standard_output(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [sys.executable, "-m", "rnnkit", "train", spec, "--data", tiny_data]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*command, "--out", tmp_path / "run"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (
        1,
        "standard output could not be written: No space left on device\n",
    )
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3


def test_a_training_outlives_its_reader_without_a_word(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [sys.executable, "-m", "rnnkit", "train", spec, "--data", tiny_data]
    with subprocess.Popen(
        [*command, "--out", tmp_path / "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 1
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3


def test_long_work_without_a_terminal_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.system.console.REMIND_SECONDS", 0.01)
    told = []

    def far() -> str:
        told.append("half")
        return "update 1 of 2"

    with show.reminding(far):
        while len(told) < 3:
            pass
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert {*lines} == {"update 1 of 2"}
