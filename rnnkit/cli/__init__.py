"""The command line. Each command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from rnnkit.cli import (
    build,
    caption,
    compare,
    data,
    doctor,
    export,
    gradcheck,
    grade,
    new,
    plugins,
    report,
    runs,
    schema,
    serve,
    train,
)
from rnnkit.cli.eval import evaluate
from rnnkit.cli.later import Commands
from rnnkit.cli.spec_command import SpecCommand
from rnnkit.errors import place_of
from rnnkit.system.terminal import lost, reader_left, say, settle_output


class _Rnnkit(Commands):
    """All of rnnkit's commands, in the order that the help has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.later("new", new.new)
        self.later("build", build.build, SpecCommand)
        self.later("train", train.train, SpecCommand)
        self.later("compare", compare.compare, SpecCommand)
        self.later("caption", caption.caption)
        self.later("eval", evaluate)
        self.later("export", export.export)
        self.later("import", export.import_weights, SpecCommand)
        self.later("runs", runs.runs)
        self.later("serve", serve.serve)
        self.later("report", report.report)
        self.later("gradcheck", gradcheck.gradcheck)
        self.later("grade", grade.grade)
        self.later("schema", schema.schema)
        self.later("doctor", doctor.doctor)
        self.later_group("plugins", plugins.app)
        self.later_group("data", data.app)


app = typer.Typer(
    name="rnnkit",
    cls=_Rnnkit,
    help="Recurrent image-captioning networks put together from plugins, in NumPy.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from rnnkit.system.version import __version__

        say(f"rnnkit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recurrent image-captioning networks put together from plugins, in NumPy."""


def _is_own(end: SystemExit) -> bool:
    """Whether the command line ends the program, and not a plugin, which would end it as if all were well."""
    at = end.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    name = "" if at is None else at.tb_frame.f_globals.get("__name__", "")
    return at is None or name.partition(".")[0] in ("typer", "click", "rnnkit")


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a check failed, 2 the user's mistake, 70 a fault of rnnkit,
    128 + n ended by signal n.

    1, too, where standard output could not be written.
    """
    settle_output()
    code: str | int | None = 0
    try:
        app()
    except NotImplementedError as e:
        say(f"not written yet {place_of(e)}: {e}", err=True)
        code = 2
    except BaseException as e:
        if isinstance(e, SystemExit) and _is_own(e):
            code = e.code
        else:
            from rnnkit.registry.blame import culprit
            from rnnkit.system.fault import said_of

            text, code = said_of(e, culprit(e))
            say(text, err=True)
    failure = lost()
    if failure is not None:
        if not reader_left(failure):
            say(f"standard output could not be written: {failure.strerror}", err=True)
        code = code or 1
    sys.exit(code)
