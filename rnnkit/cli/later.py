"""Commands that are built when they are run: typer takes longer to build all options of all commands than `--help` may."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

import typer
import typer.core
import typer.main

from rnnkit.system.terminal import results_alone


class Later(typer.core.TyperCommand):
    """What stands in a list of commands for one that is not built yet: its name and its help."""

    def __init__(self, name: str, app: typer.Typer, text: str) -> None:
        super().__init__(name, help=text, rich_markup_mode=None)
        self._app = app

    @cached_property
    def built(self) -> Any:
        """The command itself, with its options, or the group with its commands.

        Standard output is for their results alone: help and completion are not theirs.
        """
        made: Any = typer.main.get_command(self._app)
        for command in (made, *getattr(made, "commands", {}).values()):
            if command.callback is not None:
                command.callback = results_alone()(command.callback)
        return made

    def make_context(self, *args: Any, **options: Any) -> Any:
        """That of the command itself, so that it is the one that runs, shows its help and completes."""
        return self.built.make_context(*args, **options)


class Commands(typer.core.TyperGroup):
    """A group of commands, each built when it is run."""

    def later(
        self,
        name: str,
        function: Callable[..., object],
        cls: type[typer.core.TyperCommand] = typer.core.TyperCommand,
    ) -> None:
        """Add a function as a command of the class `cls`."""
        app = _app()
        app.command(name, cls=cls)(function)
        self.add_command(Later(name, app, inspect.getdoc(function) or ""))

    def later_group(self, name: str, app: typer.Typer) -> None:
        """Add a group."""
        self.add_command(Later(name, app, str(app.info.help)))


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
