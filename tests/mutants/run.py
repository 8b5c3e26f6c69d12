"""Mutation test of the gradient harness: `python -m tests.mutants.run`.

Every mutant of every built-in plugin goes before the harness, and before two rivals. The command prints a table,
writes docs/mutants.md, and fails if a mutant survives that is not in equivalent.toml, or is killed though it is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import tomllib
import traceback
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Activation, Layer, Loss, Plugin, RecurrentCell
from rnnkit.registry import load, names
from rnnkit.testing.checks import checks_of_class
from rnnkit.testing.example import Broken
from tests.mutants import rivals
from tests.mutants.mutate import IN_PLACE, INPUT_CHANGED, Mutant, mutants

HERE: Final = Path(__file__).parent
TABLE: Final = HERE.parents[1] / "docs" / "mutants.md"
KINDS: Final[dict[str, type[Plugin]]] = {
    kind.noun: kind for kind in (Activation, Layer, RecurrentCell, Loss)
}
EXCEPTION: Final = "exception"
RAISES: Final = ("builds", "runs")
"""The laws that an exception breaks."""
GRADIENT: Final = "gradient"

Key: TypeAlias = tuple[str, str, str]
"""What a mutant is known by: plugin, line and change; so it survives edits elsewhere in the file."""


@attrs.frozen
class Outcome:
    """What became of a mutant.

    Attributes:
        mutant: which.
        killed: `gradient`, the law that it broke, `exception`, or None if it survived.
        check: in which check it was killed.
        gradcheck: whether that rival catches it.
        probe: whether that one does.
    """

    mutant: Mutant
    killed: str | None
    check: str
    gradcheck: bool
    probe: bool


@attrs.frozen
class Equivalent:
    """A mutant that is no error, and why."""

    key: Key
    reason: str


def key(mutant: Mutant) -> Key:
    return f"{mutant.noun} {mutant.plugin}", mutant.line, mutant.change


def every_mutant() -> Iterator[Mutant]:
    """Of all built-in plugins with a gradient, in a fixed order."""
    for kind in KINDS.values():
        for name in names(kind):
            yield from mutants(load(kind, name), name)


def equivalents() -> list[Equivalent]:
    """The mutants that are known to be no errors."""
    rows = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8"))["equivalent"]
    return [
        Equivalent((row["plugin"], row["line"], change), row["reason"])
        for row in rows
        for change in row["changes"]
    ]


def built(mutant: Mutant) -> type[Plugin]:
    """The mutant's class, in a fresh module."""
    module = types.ModuleType("tests.mutants.under_test")
    module.__dict__["np"] = np  # a change may need it where the plugin does not
    sys.modules[module.__name__] = module  # annotations are resolved there
    exec(compile(mutant.source, _file(mutant), "exec"), module.__dict__)
    cls: type[Plugin] = module.__dict__[mutant.cls]
    return cls


def _file(mutant: Mutant) -> str:
    return f"<{mutant.noun} {mutant.plugin}>"


def verdict(mutant: Mutant, cls: type[Plugin], name: str, seed: int) -> tuple[str | None, str]:
    """(what kills a mutant, in which check); None if the harness finds nothing wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for check in checks_of_class(cls, name):
            try:
                finding = check.run(seed)
            except Exception as e:
                if all(f.filename != _file(mutant) for f in traceback.extract_tb(e.__traceback__)):
                    raise  # the harness itself fails
                return EXCEPTION, check.id
            if not finding.ok:
                return EXCEPTION if finding.broken in RAISES else finding.broken, check.id
    return None, ""


def outcome(mutant: Mutant, seed: int, rivals_too: bool = True) -> Outcome:
    """A mutant before the harness and its rivals."""
    name, original = f"{mutant.noun}:{mutant.plugin}", load(KINDS[mutant.noun], mutant.plugin)
    try:
        cls = built(mutant)
    except Exception:
        return Outcome(mutant, EXCEPTION, "import", True, True)
    killed, check = verdict(mutant, cls, name, seed)
    if killed == EXCEPTION or not rivals_too:
        return Outcome(mutant, killed, check, True, True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            caught = [
                rivals.catches(rival, cls, original, name, seed)
                for rival in (rivals.gradcheck, rivals.probe)
            ]
        except Broken:  # there is no example: it raises at every width
            return Outcome(mutant, EXCEPTION, check, True, True)
    return Outcome(mutant, killed, check, *caught)


def run(todo: Sequence[Mutant], seed: int, processes: int) -> list[Outcome]:
    """The outcomes of all, in order, with a line of progress."""
    done: list[Outcome] = []
    begin = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for result in pool.imap(partial(outcome, seed=seed), todo, chunksize=20):
            done.append(result)
            if len(done) % 20 == 0 or len(done) == len(todo):
                spent = time.monotonic() - begin
                print(f"\r{len(done)} of {len(todo)}, {spent:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    return done


@attrs.frozen
class Row:
    """One line of a table: what became of some mutants.

    The rivals, and the score, are counted over those that run and are errors.
    """

    name: str
    mutants: int
    exceptions: int
    equivalent: int
    killed: Counter[str]
    survivors: int
    gradcheck: int
    probe: int

    @classmethod
    def of(cls, name: str, outcomes: Iterable[Outcome], known: set[Key]) -> Row:
        all_of_them = list(outcomes)
        raised = [o for o in all_of_them if o.killed == EXCEPTION]
        ran = [o for o in all_of_them if o.killed != EXCEPTION and key(o.mutant) not in known]
        return cls(
            name,
            len(all_of_them),
            len(raised),
            len(all_of_them) - len(raised) - len(ran),
            Counter(o.killed for o in ran if o.killed is not None),
            sum(o.killed is None for o in ran),
            sum(o.gradcheck for o in ran),
            sum(o.probe for o in ran),
        )

    @property
    def cells(self) -> list[str]:
        """As text, for a table."""
        killed = self.killed.total()
        return [
            self.name,
            str(self.mutants),
            str(self.exceptions),
            str(self.equivalent),
            str(killed + self.survivors),
            str(self.killed[GRADIENT]),
            str(killed - self.killed[GRADIENT]),
            str(self.survivors),
            str(self.gradcheck),
            str(self.probe),
        ]


HEADINGS: Final = (
    "",
    "mutants",
    "raise",
    "equivalent",
    "judged",
    "killed by gradient",
    "killed by a law",
    "survive",
    "gradcheck kills",
    "one probe kills",
)


def rows(outcomes: Sequence[Outcome], known: set[Key], by: Callable[[Mutant], str]) -> list[Row]:
    """The outcomes put together by some property of the mutant, and a row for all."""
    groups: dict[str, list[Outcome]] = {}
    for o in outcomes:
        groups.setdefault(by(o.mutant), []).append(o)
    made = [Row.of(name, group, known) for name, group in groups.items()]
    return [*made, Row.of("all", outcomes, known)]


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    all_lines = [list(headings), *(list(line) for line in lines)]
    widths = [max(3, *(len(line[i]) for line in all_lines)) for i in range(len(headings))]
    text = [
        [c.rjust(w) if c.isdigit() else c.ljust(w) for c, w in zip(line, widths, strict=True)]
        for line in all_lines
    ]
    numbers = [line[-1].strip().isdigit() for line in zip(*all_lines, strict=True)]
    rule = ["-" * (w - 1) + (":" if n else "-") for w, n in zip(widths, numbers, strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (text[0], rule, *text[1:]))


def page(outcomes: Sequence[Outcome], listed: Sequence[Equivalent]) -> str:
    """The text of docs/mutants.md."""
    known = {e.key for e in listed}
    total = Row.of("all", outcomes, known)
    judged = total.killed.total() + total.survivors
    numbers = [o for o in outcomes if o.mutant.kind not in (INPUT_CHANGED, IN_PLACE)]
    wrong = Row.of("wrong numbers", numbers, known)
    wrong_judged = wrong.killed.total() + wrong.survivors
    laws = Counter({law: n for law, n in total.killed.items() if law != GRADIENT})
    return INTRODUCTION.format(
        judged=judged,
        largest=rivals.LARGEST,
        killed=total.killed.total(),
        gradcheck=f"{total.gradcheck} ({total.gradcheck / judged:.1%})",
        probe=f"{total.probe} ({total.probe / judged:.1%})",
        overwriting=judged - wrong_judged,
        gradcheck_numbers=f"{wrong.gradcheck / wrong_judged:.1%}",
        probe_numbers=f"{wrong.probe / wrong_judged:.1%}",
        plugins=table(
            HEADINGS,
            (row.cells for row in rows(outcomes, known, lambda m: f"{m.noun} {m.plugin}")),
        ),
        laws=table(("law", "mutants killed"), [(n, str(c)) for n, c in laws.most_common()]),
        kinds=table(HEADINGS, (row.cells for row in rows(outcomes, known, lambda m: m.kind))),
        count=len(listed),
        equivalent=table(
            ("plugin", "line", "change", "why it is no error"),
            (
                (e.key[0], f"`{_cell(e.key[1])}`", f"`{_cell(e.key[2])}`", _cell(e.reason))
                for e in listed
            ),
        ),
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


INTRODUCTION: Final = """\
# Mutants: how many wrong gradients the harness finds

A *mutant* is a right backward pass with one small mistake in it. `make mutants` makes thousands of them by program and counts how many
the gradient harness finds. The mistakes are of these kinds:

- another operator, constant or function, or a wrong sign;
- an option of the plugin left out, so that its default stands there whatever it is set to;
- a term, a statement or an option left out;
- operands or results exchanged, another variable, an index shifted;
- a transpose too many or too few, a sum over another axis, or a mean instead of a sum;
- a constant factor of 2, 1 + 1e-6 or 1 + 1e-9, or one entry of an array off;
- another entry of the cache, a conversion to float32, an input overwritten.

`make mutants` changes `backward` and `step_back`, the functions that they call, and the parts of a forward pass that only they use. So
the value stays right, and only the gradient is wrong.

The harness finds {killed} of {judged} mutants that run and are wrong. On the same examples, two common checks with their default
numbers would find:

- `torch.autograd.gradcheck` (the whole Jacobian, by central differences of width 1e-6, within 1e-5 + 1e-3 relative):
  {gradcheck};
- `jax.test_util.check_grads` (one random direction, by a central difference of width 1e-4, within 1e-5 + 1e-5 relative):
  {probe}.

Both checks are written in NumPy in `tests/mutants/rivals.py`. They get all leaves of every example of the usual sizes ({largest} numbers at
most), except the examples on which they reject the right gradient. They compare only numbers, so they cannot notice that an input was overwritten. Without the {overwriting}
mutants that overwrite one, they find {gradcheck_numbers} and {probe_numbers}.

These shares depend on the mixture of mutants. If a term, a sign or an operand is wrong, all three checks find it. The other two miss
small mistakes: a part in a million, a float32 in between, one entry of an array (see the table by kind).

`make mutants` writes this page.

## By plugin

- *raise*: mutants that end in an exception. Every check finds these, so the other columns leave them out.
- *equivalent*: mutants that compute the same gradient. They are listed below.
- *killed*: mutants that the harness finds.

{plugins}

This table counts how many mutants each law finds. A mutant counts for the first law that it breaks:

{laws}

## By kind of change

{kinds}

## The {count} equivalent mutants

{equivalent}
"""


def main() -> int:
    """Run all, or the mutants of one plugin."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="base seed of the examples")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", metavar="PLUGIN", help="its mutants alone; writes no page")
    options = parser.parse_args()
    todo = [m for m in every_mutant() if options.only in (None, m.plugin)]
    outcomes = run(todo, options.seed, options.processes)
    listed = [e for e in equivalents() if options.only in (None, e.key[0].split()[1])]
    known = {e.key for e in listed}
    print(
        table(
            HEADINGS,
            (row.cells for row in rows(outcomes, known, lambda m: f"{m.noun} {m.plugin}")),
        )
    )
    complaints = list(_complaints(outcomes, known))
    for complaint in complaints:
        print(complaint)
    if options.only is None:
        TABLE.write_text(page(outcomes, listed), encoding="utf-8")
    return int(bool(complaints))


def _complaints(outcomes: Sequence[Outcome], known: set[Key]) -> Iterator[str]:
    for o in outcomes:
        if o.killed is None and key(o.mutant) not in known:
            yield "survives: " + " | ".join(key(o.mutant))
        if o.killed is not None and key(o.mutant) in known:
            yield f"listed as equivalent, but killed ({o.killed}): " + " | ".join(key(o.mutant))
    for missing in sorted(known - {key(o.mutant) for o in outcomes}):
        yield "listed as equivalent, but no longer made: " + " | ".join(missing)


if __name__ == "__main__":
    sys.exit(main())
