"""The loss curves of several runs, as CSV and as a picture."""

from __future__ import annotations

import csv
import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from rnnkit.errors import MissingPackage
from rnnkit.system.files import write_text_whole, write_whole
from rnnkit.system.terminal import shown, shown_in_line
from rnnkit.training.results import Learnt, Point, Result

_WIDTH = 60  # characters of a label in a line


def write_curves(results: Sequence[Result], file: Path) -> None:
    """Write the curves as CSV: a row for each update of each run.

    Raises:
        CheckpointError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["spec", *(field.name for field in attrs.fields(Point))])
    for result in _learnt(results):
        writer.writerows((shown(result.name), *attrs.astuple(point)) for point in result.curve)
    write_text_whole(file, text.getvalue())


def draw_curves(results: Sequence[Result], file: Path, until_loss: float | None = None) -> None:
    """Draw loss against updates into a PNG, one line for each run; the losses of single updates are faint.

    Raises:
        MissingPackage: matplotlib is not installed.
        CheckpointError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise MissingPackage(f'drawing {file} needs matplotlib: pip install "rnnkit[plots]"') from e
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="updates", ylabel="loss per caption", title="training loss")
    for i, result in enumerate(_learnt(results)):
        updates = [point.update for point in result.curve]
        axes.plot(updates, [p.loss for p in result.curve], color=f"C{i}", alpha=0.25, linewidth=0.8)
        label = shown_in_line(f"{result.name}: {result.cell}")
        axes.plot(updates, [p.mean for p in result.curve], color=f"C{i}", label=label)
    if until_loss is not None:
        axes.axhline(until_loss, color="grey", linestyle="--", label=f"target {until_loss:g}")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    for text in axes.legend().get_texts():
        text.set(text=textwrap.fill(text.get_text(), _WIDTH), parse_math=False)  # a $ is one
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the font's box stands for it
        write_whole(file, lambda temporary: figure.savefig(temporary, format="png"))


def _learnt(results: Sequence[Result]) -> Iterator[Learnt]:
    ordered = sorted(results, key=lambda result: result.number)
    return (result for result in ordered if isinstance(result, Learnt))
