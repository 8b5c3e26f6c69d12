"""Courses: assignments, tables of arguments and files of functions that are wrong, given to gradcheck and to grade."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from random import Random

from tests.hostile.case import OUT, Base, Case
from tests.hostile.values import literal, spoiled_bytes, spoiled_text

ASSIGNMENT = """title = "Two functions"
solution = "solution.py"
seconds = 1.0
memory = "1 GB"
packages = ["math"]
only = ["scale", "square_loss"]
[functions.scale]
value = 1
gradient = 2.0
show = "explanation"
options = { by = [2.0, 3.0] }
arguments.x = "N D"
[functions.scale.printed.once]
arguments.x = { shape = "2 2", ramp = [-1, 1] }
arguments.by = 2.0
outputs = [[[-2.0, -0.6666666667], [0.6666666667, 2.0]]]
[functions.square_loss]
loss = true
arguments.x = "N D"
arguments.y = { shape = "N", below = "D" }
"""

ARGUMENTS = """[sizes]
N = 3
D = 4
[[arguments]]
having = ["by"]
named = "scale"
x = "N D"
by = { values = 2.0 }
[[arguments]]
sizes = { N = 2 }
x = { shape = "N D", ramp = [-1, 1] }
y = { shape = "N", below = "D" }
"""

SOLUTION = """import numpy as np

def scale_forward(x, by=2.0):
    return by * x, (x, by)

def scale_backward(dy, cache):
    x, by = cache
    return by * dy

def square_loss(x, y):
    one = np.zeros_like(x)
    one[np.arange(len(y)), y] = 1.0
    return ((x - one) ** 2).sum() / len(x), 2 * (x - one) / len(x)
"""

# The first ones are what students write; the last ones what grading is locked against.
BODIES = (
    "pass", "return None", "raise NotImplementedError", "raise ValueError('\\x1b[31m')", "return x", "return (x,)", "return x, x, x",
    "return by * x * np.nan, x", "return 'x', x", "x *= by; return x, (x, by)", "return (by * x).tolist(), (x, by)", "1 / 0", "return by * x[:1], x",
    "print('\\x1b]0;owned\\x07'); return by * x, (x, by)", "return np.zeros((1 << 40,)), x", "return x.astype('f2'), x", "assert False", "yield x",
    "raise SystemExit(0)", "import sys; sys.exit('bye')", "raise BaseException('x')", "import os; os.close(1)", "return by * x + 1j, x", "return {}, {}",
)  # fmt: skip
LOCKED_UP = (
    "while True: pass", "import os; os._exit(0)", "import os; os.kill(os.getppid(), 9)", "import os; os.fork()", "open('/tmp/out', 'w').write('x')",
    "x = [bytes(1 << 28) for _ in range(99)]", "import socket; socket.create_connection(('127.0.0.1', 80))", "import subprocess; subprocess.run('id')",
    "import ctypes; ctypes.string_at(0)", "import time; time.sleep(99)", "import sys; sys.setrecursionlimit(1 << 30); f = lambda: f(); f()",
)  # fmt: skip
TOPS = (
    "", "", "", "import nowhere", "def (", "print('\\x1b[31m')", "raise SystemExit(0)", "\0", "# -*- coding: nonsense -*-", "x = " + "(" * 300 + ")" * 300,
    "import solution", "1 / 0", "scale_forward = 3", "def scale_forward(*a, **b): return 3", "class scale_forward: pass", "from os import *", "\x0c\x1b",
)  # fmt: skip


def make(rng: Random, folder: Path, base: Base) -> Case:
    """An assignment, a table or a submission that is wrong; most of the time for gradcheck, which is quicker."""
    assignment, arguments, own = ASSIGNMENT, ARGUMENTS, SOLUTION
    wrong = rng.choice(("assignment", "assignment", "arguments", "submission", "locked"))
    if wrong == "assignment":
        assignment, label = _spoiled(rng, assignment)
    elif wrong == "arguments":
        arguments, label = _spoiled(rng, arguments)
    else:
        own, label = _written(rng, BODIES if wrong == "submission" else LOCKED_UP)
    _write(folder / "solution.py", SOLUTION)
    _write(folder / "own.py", own)
    _write(folder / "a.toml", assignment)
    _write(folder / "arguments.toml", arguments)
    grade = ["grade", "class", "--assignment", "a.toml", "--jobs", "1"]
    if wrong == "arguments":
        args = ["gradcheck", "own.py", "--arguments", "arguments.toml"]
    elif wrong == "locked" or rng.random() < 0.15:
        label += _handed_in(rng, folder, own)
        args = [*grade, "--out", OUT]
        if rng.random() < 0.3:
            args = ["grade", "own.py", *grade[2:], "--results", f"{OUT}.json"]
    elif wrong == "assignment" and rng.random() < 0.2:
        args = [*grade, "--make-autograder", f"{OUT}.zip"]
    else:
        args = ["gradcheck", "own.py", "--assignment", "a.toml"]
    if args[0] == "gradcheck" and rng.random() < 0.4:
        args.append("--json")
    return Case(f"{wrong}: {label}", tuple(args))


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="surrogatepass")


def _spoiled(rng: Random, text: str) -> tuple[str, str]:
    """A text of TOML with a value replaced, or with anything."""
    if rng.random() < 0.3:
        return spoiled_text(rng, text), "text"
    pair = rng.choice(list(re.finditer(r"[\w.]+ = (.+)$", text, re.MULTILINE)))
    value = literal(rng)
    found = f"{text[: pair.start(1)]}{value}{text[pair.end(1) :]}"
    return found, f"{pair[0].split()[0]} = {value[:20]}"


def _written(rng: Random, bodies: tuple[str, ...]) -> tuple[str, str]:
    """A submission with another function, or with something else before all."""
    top, body = rng.choice(TOPS) if bodies is BODIES else "", rng.choice(bodies)
    at = rng.choice(("scale_forward(x, by=2.0):", "scale_backward(dy, cache):"))
    before, _, after = SOLUTION.partition(at)
    body = (
        body.replace("x", "dy") if "dy" in at and bodies is BODIES and "x1b" not in body else body
    )
    made = f"{top}\n{before}{at}\n    {body}\n{after}"
    return made, f"{top[:20]!a} and {body[:30]!a}"


def _handed_in(rng: Random, folder: Path, own: str) -> str:
    """A class of one or two; what is odd about the form, in a word."""
    there = folder / "class"
    there.mkdir()
    form = rng.choice(
        ("file", "file", "folder", "zip", "no zip", "notebook", "link", "empty", "name")
    )
    if form == "folder":
        (there / "a").mkdir()
        _write(there / "a" / "own.py", own)
    elif form == "zip":
        with zipfile.ZipFile(there / "a.zip", "w") as packed:
            packed.writestr(
                rng.choice(("own.py", "../own.py", "/etc/own.py", "a/b/own.py")),
                own.encode(errors="replace"),
            )
            packed.writestr("bomb.txt", bytes(1_000_000))
    elif form == "no zip":
        (there / "a.zip").write_bytes(spoiled_bytes(rng, b"PK\3\4" + own.encode(errors="replace")))
    elif form == "notebook":
        _write(
            there / "a.ipynb",
            rng.choice(
                (
                    "",
                    "{}",
                    '{"cells": 3}',
                    '{"cells": [{"cell_type": "code", "source": 3}]}',
                    "[" * 5000,
                )
            ),
        )
    elif form == "link":
        (there / "a.py").symlink_to(rng.choice(("/etc/passwd", "/dev/zero", "a.py", "../own.py")))
    elif form != "empty":
        _write(
            there
            / (
                "a.py"
                if form == "file"
                else rng.choice(("=1+1.py", "[red].py", "\x1b[31m.py", "-x.py", "a b.py"))
            ),
            own,
        )
    return f", handed in as {form}"
