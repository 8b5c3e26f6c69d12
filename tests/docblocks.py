"""Code blocks of Markdown pages, and a folder to run them in as a reader would."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

import rnnkit

FENCE: Final = re.compile(r"^(\s*)(```+)\s*(.*?)\s*$")
TITLE: Final = re.compile(r'title="([^"]+)"')
REASON: Final = re.compile(r"^\s*<!-- not run: (.+?) -->$")
ENDS_WITH: Final = re.compile(r"^\s*<!-- ends with (\d+) -->$")
NUMBER: Final = re.compile(r"~?-?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?|(?<=\s)-(?=\s)")
"""A number, or the dash that a table has where there is none."""

PROGRAMS: Final = ("rnnkit", "pip", "pytest", "mypy")

SMALLER: Final = (
    (r"rnnkit data demo \S+", r"\g<0> --train 24 --val 8"),
    (r"rnnkit (?:train|compare) (?!--)[^|&\n]*", r"\g<0> --set model.rnn[0].hidden=8"),
    (
        r"rnnkit (?:train|compare) (?!--)(?![^|&\n]*train\.epochs)[^|&\n]*",
        r"\g<0> --set train.epochs=1",
    ),
)
"""What is done to commands so that they take no time: (pattern, replacement)."""

SMALLEST_SPEC: Final = '\n[[model.rnn]]\nhidden = 8\ncell = "vanilla"\n'


@attrs.frozen
class Block:
    """A code block.

    Attributes:
        page: that it is on.
        line: of its first line on the page.
        language: empty if it names none.
        title: the file that it is the text of, if it is.
        text: without the fences.
        reason: why it is not run, if the line before it says so.
        ends_with: the exit code that it shows.
    """

    page: Path
    line: int
    language: str
    title: str | None
    text: str
    reason: str | None
    ends_with: int

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Every code block of a page, first to last."""
    lines = page.read_text(encoding="utf-8").splitlines()
    numbered = iter(enumerate(lines, 1))
    before = ""
    for number, line in numbered:
        opened = FENCE.match(line)
        if not opened:
            before = line or before
            continue
        indent, fence, info = opened.groups()
        text = []
        for _, inner in numbered:
            if inner.strip() == fence:
                break
            text.append(inner.removeprefix(indent))
        title, reason, code = TITLE.search(info), REASON.match(before), ENDS_WITH.match(before)
        yield Block(
            page,
            number + 1,
            info.split()[0] if info[:1].isalpha() else "",
            title[1] if title else None,
            "\n".join(text) + "\n",
            reason[1] if reason else None,
            int(code[1]) if code else 0,
        )
        before = ""


class Workspace:
    """A folder with a shell and a Python session in it."""

    def __init__(self, folder: Path, programs: Path, prelude: str = "") -> None:
        self.folder = folder
        self.current = folder
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "LD_LIBRARY_PATH": str(Path(sys.prefix) / "lib"),  # the MPI that is installed here
            "COLUMNS": "100",
            # As a reader has it, but without a network: what plugins require is there already.
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "false",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
        }
        # Types of options are looked up in the module that a class says it is from.
        self._session = types.ModuleType("page")
        sys.modules["page"] = self._session
        exec(prelude, vars(self._session))
        self._printed: str | None = None

    def run(self, block: Block) -> None:
        """Run a block, or compare it with what the one before it printed.

        Raises:
            AssertionError: it does not do what the page says.
        """
        before, self._printed = self._printed, None
        if block.title is not None:
            file = self.current / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            self._printed = self._shell(block)
        elif block.language == "python":
            self._printed = self._python(block)
        elif block.language == "toml":
            self._spec(block)
        elif block.language == "text" and before is not None:
            assert shows(block.text, before), (
                f"{block}: the page says\n{block.text}\nand it is\n{before}"
            )

    def _shell(self, block: Block) -> str:
        text = block.text
        for pattern, replacement in SMALLER:
            text = re.sub(pattern, replacement, _without_comments(text))
        place = self.folder / ".place"
        ran = subprocess.run(
            ["bash", "-e", "-c", f"trap 'pwd > {place}' EXIT\n{text}"],
            cwd=self.current,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ran.returncode == block.ends_with, f"{block}: {ran.returncode}\n{ran.stdout}"
        self.current = Path(place.read_text(encoding="utf-8").strip())
        return ran.stdout

    def _python(self, block: Block) -> str:
        printed = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
        with contextlib.chdir(self.current), contextlib.redirect_stdout(printed):
            exec(code, vars(self._session))
        return printed.getvalue()

    def _spec(self, block: Block) -> None:
        """Build what is a spec, or a part of one; what is not must be TOML all the same."""
        tables = tomllib.loads(block.text)
        if "project" in tables:
            return
        whole = "rnn" in tables.get("model", {})
        file = self.folder / f"block-{block.line}.toml"
        file.write_text(block.text + ("" if whole else SMALLEST_SPEC), encoding="utf-8")
        layers = len(tables["model"]["rnn"]) if whole else 1
        small = [f"model.rnn[{i}].hidden=8" for i in range(layers)]
        rnnkit.build(file, data=self.folder / "data" / "scenes", overrides=small)


def shows(expected: str, printed: str) -> bool:
    """Whether a page shows what was printed, whatever the numbers and their marks; `...` stands for anything, or for lines."""
    pattern = ""
    for line in expected.strip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(map(re.escape, _plain(line).split("..."))) + r"\n"
    lines = "".join(f"{_plain(line)}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, lines) is not None


def write_programs(folder: Path) -> Path:
    """An environment like this one to install packages into: the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    paths = {"base": str(folder), "platbase": str(folder)}
    theirs = Path(sysconfig.get_path("purelib", vars=paths))
    ours = sysconfig.get_path("purelib")
    (theirs / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    for program in PROGRAMS:
        file = folder / "bin" / program
        file.write_text(f'#!/bin/sh\nexec {python} -m {program} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
    return folder / "bin"


def _without_comments(text: str) -> str:
    return re.sub(r"\s+# .*$", "", text, flags=re.MULTILINE)


def _plain(line: str) -> str:
    """A line without its numbers and the width of its columns."""
    return " ".join(NUMBER.sub("#", line).split())
