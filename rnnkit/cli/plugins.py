"""`rnnkit plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.completing import kinds
from rnnkit.cli.options import AsJson
from rnnkit.cli.plugins_derive import derive
from rnnkit.cli.plugins_new import new
from rnnkit.cli.plugins_show import show as show_plugin

if TYPE_CHECKING:
    from rnnkit.cli.show import Cell
    from rnnkit.registry import Entry, Row

app = typer.Typer(
    add_completion=False,
    help="List, show and start plugins: the parts that specs name.",
    rich_markup_mode=None,
)
app.command()(derive)
app.command()(new)
app.command("show")(show_plugin)


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """List the plugins of every installed package, and what is wrong with any."""
    if context.invoked_subcommand is None:
        list_plugins(kind=None, as_json=False)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="Only plugins of this kind: cell, layer, ...",
            autocompletion=kinds,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the plugins of every installed package, and what is wrong with any."""
    from rnnkit.cli import show
    from rnnkit.kinds import KINDS
    from rnnkit.registry import kind_called, survey

    rows = list(survey(KINDS if kind is None else [kind_called(kind)]))
    missing = [[] if row.problem else _unwritten(row.entry) for row in rows]
    if as_json:
        show.print_json(
            [
                {
                    "kind": row.entry.kind.noun,
                    "name": row.entry.name,
                    "package": row.entry.package,
                    "version": row.entry.version,
                    "target": row.entry.target,
                    "problem": row.problem,
                    "unwritten": methods,
                }
                for row, methods in zip(rows, missing, strict=True)
            ]
        )
        return
    console = show.console()
    show.print_table(
        console,
        ["kind", "name", "package", "version", "status"],
        [
            (
                row.entry.kind.noun,
                row.entry.name,
                row.entry.package,
                row.entry.version,
                _status(row, methods),
            )
            for row, methods in zip(rows, missing, strict=True)
        ],
        folding=("name", "package", "status"),
        spare=("version",),
    )
    for row in rows:
        if row.problem:
            console.print(f"\n{row.problem}", style="red")


def _unwritten(entry: Entry) -> list[str]:
    from rnnkit.registry import load_entry
    from rnnkit.testing.unwritten import unwritten

    return [gap.method for gap in unwritten(load_entry(entry))]


def _status(row: Row, missing: list[str]) -> Cell:
    from rnnkit.cli.show import Cell

    if row.problem is not None:
        return Cell("cannot be used", "red")
    if missing:
        return Cell(f"not written yet: {', '.join(missing)}", "yellow")
    return Cell("ok", "")
