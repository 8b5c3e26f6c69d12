"""`python -m tests.mistakes [FUNCTION ..]`: a row for each function, and every mistake whose pattern is not named."""

from __future__ import annotations

import sys

from rnnkit.testing.functions.assignment import read_assignment
from tests.mistakes import notebook
from tests.mistakes.listed import MISTAKES
from tests.mistakes.running import outcome, said, written
from tests.mistakes.styles import SOLUTIONS, STYLES


def main(names: list[str]) -> int:
    """Go through all mistakes in some functions, or in all, and through all right solutions."""
    assignment = read_assignment("cs231n")
    print(f"{'function':24}{'mistakes':>9}{'found':>7}{'named':>7}{'the notebooks pass':>21}")
    totals = [0, 0, 0, 0]
    for name in names or MISTAKES:
        row = [0, 0, 0, 0]
        for number, (old, new, _) in enumerate(MISTAKES[name]):
            found = outcome(name, number, assignment)
            module = written([(old, new)])
            passed = notebook.passes(module, name, assignment)
            row = [a + b for a, b in zip(row, (1, found.found, found.named, passed), strict=True)]
            if not found.named:
                print(f"  {'no pattern' if found.found else 'NOT FOUND'}: {old!r} -> {new!r}")
        print(f"{name:24}{row[0]:9}{row[1]:7}{row[2]:7}{row[3]:21}", flush=True)
        totals = [a + b for a, b in zip(totals, row, strict=True)]
    print(f"{'all':24}{totals[0]:9}{totals[1]:7}{totals[2]:7}{totals[3]:21}")
    right = [(style, name, written(STYLES[style])) for style, name in SOLUTIONS]
    alarms = [(style, name) for style, name, m in right if said(m, name, assignment)]
    let_pass = sum(notebook.passes(m, name, assignment) for _, name, m in right)
    print(f"{len(right)} right solutions: {len(alarms)} false alarms {alarms or ''}")
    print(f"the notebooks pass {let_pass} of them")
    return int(totals[0] != totals[1] or bool(alarms))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
