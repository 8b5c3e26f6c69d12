"""`rnnkit plugins show`."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.completing import kinds, plugins
from rnnkit.cli.options import AsJson
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rnnkit.describing.plugin_card import Card
    from rnnkit.describing.plugin_cost import Cost
    from rnnkit.kinds import Plugin
    from rnnkit.registry import Entry
    from rnnkit.testing.targets import Report


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A plugin, or a class that is not installed: path/to/file.py::ClassName.",
            autocompletion=plugins,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="Its kind, if several plugins have this name.", autocompletion=kinds
        ),
    ] = None,
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes",
            metavar="D=N,H=N",
            help="Widths to count parameters for: D and H of a cell; D and M of a layer, or V and M if it "
            "takes tokens.",
        ),
    ] = "",
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not run its gradient checks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a plugin: what it computes, where that comes from, its options, parameters, gradient."""
    from rnnkit.cli import show as terminal
    from rnnkit.describing.plugin_card import card
    from rnnkit.describing.plugin_cost import cost
    from rnnkit.errors import TraceError
    from rnnkit.registry import Entry
    from rnnkit.testing.targets import of_class, run

    widths = _widths(sizes)
    pages = []
    for plugin, cls in _plugins(name, kind):
        made = card(plugin)
        spent: Cost | str | None
        try:
            spent = cost(cls, widths)
        except NotImplementedError:
            spent = "some of its methods are not written yet"
        except (TraceError, ValueError) as e:
            spent = str(e)
        origin = f"{made.package} {made.version}".rstrip()
        target = of_class(cls, made.name if isinstance(plugin, Entry) else name, origin)
        pages.append((made, spent, None if no_check else run(target)))
    if as_json:
        terminal.print_json([_json(*page) for page in pages])
        return
    for page in pages:
        _print(*page)


def _plugins(name: str, kind: str | None) -> Iterator[tuple[type[Plugin] | Entry, type[Plugin]]]:
    """What to make a card of, and the class."""
    from rnnkit.registry import entries_called, kind_called, load_entry
    from rnnkit.testing.source import class_at

    if "::" in name or name.endswith(".py"):
        cls = class_at(name)
        yield cls, cls
        return
    for entry in entries_called(name, None if kind is None else kind_called(kind)):
        yield entry, load_entry(entry)


def _widths(text: str) -> dict[str, int]:
    """`D=64,H=128` as numbers by letters."""
    from rnnkit.errors import RegistryError

    widths = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        letter, _, number = part.partition("=")
        if not number.isdecimal() or int(number) < 1:
            raise RegistryError(
                f"--sizes has {part!r}; give widths of at least 1, as in D=64,H=128"
            )
        widths[letter] = int(number)
    return widths


def _print(card: Card, cost: Cost | str | None, report: Report | None) -> None:
    from rnnkit.cli import show as terminal
    from rnnkit.testing.report import explain

    console = terminal.console()
    origin = f"{card.package} {card.version}".rstrip()
    derived = ", its step back derived" if card.derived else ""
    console.print(f"{card.name}: {card.kind} from {origin}{derived}", style="bold")
    for text in (card.summary, card.notation, card.description, card.source):
        if text:
            console.print(f"\n{text}")
    if card.options:
        rows = [(o.name, o.type, o.default, o.doc) for o in card.options]
        console.print()
        terminal.print_table(
            console,
            ["option", "takes", "default", "meaning"],
            rows,
            folding=("takes", "default", "meaning"),
        )
    if cost is not None:
        console.print()
        _print_cost(cost)
    console.print()
    if report is not None:
        console.print(_verdict(report))
    console.print(f"class: {card.target}, plugin API {card.api}")
    if card.package and card.version:
        for line in card.imports.splitlines():
            console.print(f"import: {line}")
    for holder in card.holders:
        console.print(str(holder))
    if card.file:
        console.print(f"file: {card.file}")
    if card.derived:
        say(
            f"\nits author wrote the step alone; rnnkit has derived the step back:\n\n{card.derived}"
        )
    if card.not_derived:
        say(f"\nits author wrote the step alone, and no step back is derived: {card.not_derived}")
    if report is not None and not report.ok:
        say(f"\n{explain(report, 0)}")


def _print_cost(cost: Cost | str) -> None:
    from rnnkit.cli import show as terminal

    console = terminal.console()
    if isinstance(cost, str):
        console.print(f"no parameters to show: {cost}")
        return
    if cost.parameters:
        rows = [
            (name, " x ".join(map(str, shape)), terminal.count(prod(shape)))
            for name, shape in cost.parameters
        ]
        terminal.print_table(console, ["parameter", "shape", ">numbers"], rows)
    given = {**cost.sizes, **cost.assumed}
    console.print(
        f"{terminal.count(cost.count)} parameters, {terminal.count(cost.multiply_adds)} multiply-adds a "
        f"{cost.per}, for {', '.join(f'{name}={value}' for name, value in given.items())}",
    )


def _verdict(report: Report) -> str:
    word = "check" if report.checks == 1 else "checks"
    if not report.ok:
        return f"gradcheck: {len(report.failures)} of {report.checks} {word} failed; see below"
    worst = f", the worst error of a gradient is {report.worst:.1e}" if report.worst else ""
    return f"gradcheck: all {report.checks} {word} pass{worst}"


def _json(card: Card, cost: Cost | str | None, report: Report | None) -> dict[str, object]:
    import attrs

    from rnnkit.testing.report import explain

    return {
        **attrs.asdict(card),
        "cost": None
        if cost is None or isinstance(cost, str)
        else {
            "sizes": dict(cost.sizes),
            "assumed": {name: str(value) for name, value in cost.assumed.items()},
            "parameters": {name: list(shape) for name, shape in cost.parameters},
            "count": cost.count,
            "multiply_adds": cost.multiply_adds,
            "per": cost.per,
        },
        "no_cost": cost if isinstance(cost, str) else None,
        "gradcheck": report
        and {
            "ok": report.ok,
            "checks": report.checks,
            "worst": report.worst,
            "explanation": None if report.ok else explain(report, 0),
        },
    }
