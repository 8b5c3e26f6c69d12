"""`rnnkit plugins`."""

from __future__ import annotations

import typer

from rnnkit.cli.options import AsJson

app = typer.Typer(help="What can be put into a spec.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """List the plugins of every installed package, and what is wrong with any."""
    if context.invoked_subcommand is None:
        list_plugins(as_json=False)


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins of every installed package, and what is wrong with any."""
    from rnnkit.cli import show
    from rnnkit.registry import survey

    rows = list(survey())
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
                }
                for row in rows
            ]
        )
        return
    console = show.console()
    console.print(
        show.table(
            ["kind", "name", "package", "version", "status"],
            (
                (
                    row.entry.kind.noun,
                    row.entry.name,
                    row.entry.package,
                    row.entry.version,
                    "ok" if row.problem is None else "[red]cannot be used[/red]",
                )
                for row in rows
            ),
        )
    )
    for row in rows:
        if row.problem:
            console.print(f"\n{row.problem}", style="red", markup=False)
