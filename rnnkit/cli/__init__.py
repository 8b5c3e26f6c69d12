"""The command line. Each command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rnnkit.cli import build, caption, compare, data, gradcheck, plugins, report, runs, train
from rnnkit.cli.eval import evaluate
from rnnkit.cli.spec_command import SpecCommand
from rnnkit.errors import RnnkitError, place_of

app = typer.Typer(
    name="rnnkit",
    help="Recurrent image-captioning networks put together from plugins, in NumPy.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("build", cls=SpecCommand)(build.build)
app.command("train", cls=SpecCommand)(train.train)
app.command("compare", cls=SpecCommand)(compare.compare)
app.command("caption")(caption.caption)
app.command("eval")(evaluate)
app.command("runs")(runs.runs)
app.command("report")(report.report)
app.command("gradcheck")(gradcheck.gradcheck)
app.add_typer(plugins.app, name="plugins")
app.add_typer(data.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        from rnnkit.system.version import __version__

        typer.echo(f"rnnkit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recurrent image-captioning networks put together from plugins, in NumPy."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a check failed, 2 the user's mistake, 130 interrupted."""
    try:
        app()
    except RnnkitError as e:
        typer.echo(str(e), err=True)
        sys.exit(2)
    except NotImplementedError as e:
        typer.echo(f"not written yet {place_of(e)}: {e}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
