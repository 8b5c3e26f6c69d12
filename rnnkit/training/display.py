"""How a run is shown while it goes on, from the command line and from Python: a bar, and a row for each evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from rnnkit.network.transfer import Taken
from rnnkit.system.console import bar, console, is_live
from rnnkit.system.terminal import say, warn
from rnnkit.training.history import Record, Step
from rnnkit.training.place import Place, Scored
from rnnkit.training.trainer import Trainer


def is_wanted(progress: bool | None) -> bool:
    """Whether to show a run: if left open, where somebody looks on."""
    return is_live(console()) if progress is None else progress


class Display:
    """Shows a run on standard output, and what is to be told of it on standard error, while it is entered."""

    def __init__(self, called: str, resumed: bool, *, plain: bool = False) -> None:
        """Begin with nothing.

        Args:
            called: what the run is of.
            resumed: whether it goes on.
            plain: use a terminal as a file.
        """
        self._console = console(plain)
        self._called, self._resumed = called, resumed
        self._columns: list[_Column] = []
        self._epoch: Callable[[int], int] = lambda step: 1
        self._place: Callable[[], Place] = Place
        self._before: Scored | None = None
        self._smooth = _Smooth()
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        shown = bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(max(4, min(40, self._console.width - 58))),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            to=self._console,
            far=self._far,  # where there is no bar, and an evaluation may be hours away
        )
        self._progress = self._entered.enter_context(shown)
        self._bar = self._progress.add_task("train", total=None, epoch=1, said="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.close()

    def on_start(self, trainer: Trainer, folder: Path) -> None:
        """Say what begins."""
        table, done = trainer.model.spec.train, f"{trainer.step:,} of them done already"
        self._console.print(
            f"{self._called}: {trainer.model.size:,} parameters, {trainer.steps:,} updates of "
            f"{table.batch} captions, "
            + (done if self._resumed else f"into {folder}")
            + (": there is nothing to do" if self._resumed and trainer.finished else ""),
        )
        if trainer.finished:
            return
        self._epoch, self._place = trainer.epoch, lambda: trainer.place
        self._before = trainer.place.before_reward
        self._metric, rewarded = table.metric, table.reward is not None
        self._columns = _columns(table.metric, self._console.width, rewarded)
        self._line([title.rjust(width) for title, width, _ in self._columns], style="bold")
        self._progress.update(self._bar, total=trainer.steps, completed=trainer.step)

    def on_taken(self, rows: Sequence[Taken]) -> None:
        """Say which parameters were taken over from another model."""
        names = max(len(row.name) for row in rows)
        shapes = max(len(str(row.shape)) for row in rows)
        for row in rows:
            self._line([row.name.ljust(names), str(row.shape).ljust(shapes), row.why])
        taken, size = sum(row.elements for row in rows), sum(math.prod(row.shape) for row in rows)
        self._line([f"{taken:,} of {size:,} parameters are taken over"])

    def on_step(self, step: Step) -> None:
        """Move the bar."""
        self._smooth.take(step)
        epoch, said = self._epoch(step.number), str(self._smooth)
        self._progress.update(self._bar, completed=step.number, epoch=epoch, said=said)

    def on_record(self, record: Record) -> None:
        """Add a row, and before the first one by a reward what it begins with."""
        before = self._place().before_reward
        if record.reward is not None and before is not None and self._before is None:
            self._before = before
            self._console.print(
                f"before rewards: {self._metric} {before.value:.4f}, captions of {before.words:.1f} words",
                soft_wrap=True,
            )
        cells = [cell(record).rjust(width) for _, width, cell in self._columns]
        self._line([*cells, *(["best"] if record.best else [])])

    def tell(self, text: str) -> None:
        """Say something that happened."""
        say(text, err=True)

    def warn(self, text: str) -> None:
        """Say what looks wrong."""
        warn(text)

    def _far(self) -> str:
        return self._smooth.at and f"{self._smooth.at}  {self._smooth}"

    def _line(self, cells: Sequence[str], style: str | None = None) -> None:
        self._console.print("  ".join(cells), style=style, soft_wrap=True)


_Column: TypeAlias = "tuple[str, int, Callable[[Record], str]]"
"""A title, how wide the column is, and what it has of an evaluation."""

_SPARE: Final = ("tokens/s", "train perplexity", "loss", "seconds", "update", "train nats")
"""The columns that a narrow terminal goes without, the first ones first."""

_SPARE_OF_REWARD: Final = ("val perplexity", "entropy", "drawn words")
"""Those that come next of a run that learns from a reward."""


def _columns(metric: str, width: int, rewarded: bool = False) -> list[_Column]:
    """The columns there is room for, and for the word `best` behind them.

    Args:
        metric: that the best model is chosen by.
        width: of the terminal.
        rewarded: whether the run learns from a reward, too.
    """
    drawn: list[_Column] = [
        ("reward", 7, lambda r: _number(r.reward, 4)),
        ("drawn words", 11, lambda r: _number(r.drawn_words, 1)),
        ("entropy", 7, lambda r: _number(r.drawn_entropy, 3)),
        ("val words", 9, lambda r: _number(r.val_words, 1)),
    ]
    columns: list[_Column] = [
        ("epoch", 5, lambda r: f"{r.epoch}"),
        ("update", 7, lambda r: f"{r.step}"),
        ("loss", 9, lambda r: f"{r.train_loss:.3f}"),
        ("train nats", 10, lambda r: f"{r.train_nats:.3f}"),
        ("train perplexity", 16, lambda r: f"{r.train_perplexity:.2f}"),
        ("val nats", 8, lambda r: _number(r.val_nats, 3)),
        ("val perplexity", 14, lambda r: _number(r.val_perplexity, 2)),
        *(drawn if rewarded else []),
        *([] if metric == "nats" else [(metric, 8, lambda r: _number(r.val_metric, 4))]),
        ("tokens/s", 8, lambda r: f"{r.tokens_per_second:,.0f}"),
        ("seconds", 8, lambda r: f"{r.seconds:.1f}"),
    ]
    for spare in (*_SPARE, *(_SPARE_OF_REWARD if rewarded else ())):
        if sum(2 + wide for _, wide, _ in columns) + len("best") <= width:
            break
        columns = [column for column in columns if column[0] != spare]
    return columns


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


class _Smooth:
    """Loss and speed over the last updates, so that they can be read; as a text, nothing before the first."""

    def __init__(self) -> None:
        self.at = ""
        self.loss = 0.0
        self.speed = 0.0
        self.reward: float | None = None

    def take(self, step: Step) -> None:
        weight = 0.05 if self.at else 1.0
        speed = step.tokens / max(step.seconds, 1e-9)
        self.loss += weight * (step.loss - self.loss)
        self.speed += weight * (speed - self.speed)
        reward = step.judged.mean_reward
        if reward is not None:
            own = reward if self.reward is None else self.reward
            self.reward = own + 0.05 * (reward - own)
        self.at = f"update {step.number:,} of {step.steps:,}"

    def __str__(self) -> str:
        if not self.at:
            return ""
        if self.reward is not None:
            return f"reward {self.reward:.4f}  loss {self.loss:.3f}"
        return f"loss {self.loss:.3f}  {self.speed:,.0f} tokens/s"
