"""The plot: what was measured above, the projected epochs below."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.plot import STYLE
from benchmarks.scaling import projection
from benchmarks.scaling.projection import DATA_SETS, HERE, RANKS, Model, Point
from benchmarks.scaling.results import Results

COLOURS: Final = {"one machine": "#57606A", "10 Gbit/s": "#D55E00", "100 Gbit/s": "#0072B2"}
MEASURED: Final = "#000000"
GRID: Final = "#D0D7DE"
FAINT: Final = "#8C959F"
LINKS: Final = {projection.SHARED_MEMORY: "#009E73", projection.TCP: "#E69F00"}
SLOW: Final = "#CC79A7"


def write(results: Results, path: Path) -> None:
    """Draw it, and save it in the form that the path's ending says."""
    model = Model.of(results)
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(10, 9.6 if model else 3.4), layout="constrained", facecolor="white"
        )
        if model is None:
            _measured(figure.subplots(1, 3), results, None)
        else:
            parts: Any = figure.subfigures(2, 1, height_ratios=(1, 2))
            _measured(parts[0].subplots(1, 3), results, model)
            _projected(parts[1], model)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def _measured(axes: Any, results: Results, model: Model | None) -> None:
    _gradients(axes[0], results)
    _reductions(axes[1], results)
    _here(axes[2], results, model)


def _gradients(axes: Any, results: Results) -> None:
    """Seconds by tokens, and what was fitted to them, at the time steps that the batches had."""
    names = (HERE, *(data.name for data in DATA_SETS))
    for name, colour in zip(names, ("#009E73", "#E69F00", "#CC79A7"), strict=True):
        compute = projection.computed(results, name)
        work = projection.work(compute)
        batches = sorted(compute["batches"], key=lambda b: b["tokens"])
        tokens = [b["tokens"] for b in batches]
        axes.plot(
            tokens,
            [1e3 * b["seconds"] for b in batches],
            "o",
            color=colour,
            markersize=3,
            alpha=0.6,
        )
        steps = np.interp(tokens, tokens, np.maximum.accumulate([b["steps"] for b in batches]))
        fitted = [1e3 * work.seconds(t, s) for t, s in zip(tokens, steps, strict=True)]
        label = f"V = {compute['vocabulary']:,}"
        axes.plot(tokens, fitted, color=colour, linewidth=1.2, label=label)
    _logarithmic(axes, "tokens of a rank", "ms")
    axes.set_title("A gradient, one thread", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _reductions(axes: Any, results: Results) -> None:
    """Seconds by size, and the fitted lines."""
    found = [
        (r, LINKS[name], name)
        for name in LINKS
        if (r := projection.reduction_of(results, name)) is not None
    ]
    if "two_hosts" in results:
        hosts = results["two_hosts"]
        found.append((hosts["reduction"], SLOW, f"two hosts, {hosts['rate']}"))
    for reduction, colour, name in found:
        link, sizes = projection.link_of(reduction), reduction["sizes"]
        axes.plot(sizes, [1e3 * s for s in reduction["shares"]], "o", color=colour, markersize=3.5)
        fitted = [1e3 * link.seconds(2, size) for size in sizes]
        axes.plot(sizes, fitted, color=colour, linewidth=1.2, label=name)
    _logarithmic(axes, "bytes of the buffer", "ms")
    ticks = [
        (4**i * 2**12, name) for i, name in ((0, "4 KB"), (3, "256 KB"), (6, "16 MB"), (8, ""))
    ]
    axes.set_xticks([t for t, _ in ticks], [name for _, name in ticks])
    axes.set_title("A reduction by two ranks", fontsize=10)
    if found:
        axes.legend(frameon=False, fontsize=8, loc="upper left")


def _here(axes: Any, results: Results, model: Model | None) -> None:
    """Epochs that were measured, over those that the model gives the same network."""
    entry = results["epochs"][0]
    batch, captions = entry["batch"], entry["captions"]
    if model is not None:
        task = model.here(captions)
        for cluster in model.clusters():
            points = model.curve(task, cluster, f"N = {batch:,}")
            _curve(axes, points, COLOURS[cluster.name], None)
    for name, times in entry["seconds"].items():
        count, kind = name.split()
        place, marker = (int(count), "D") if kind == "ranks" else (1, "s" if count == "1" else "^")
        middle = sorted(times)[len(times) // 2]
        axes.plot(place, middle, marker, color=MEASURED, markersize=5, label=name, zorder=3)
    for s in results["two_hosts"]["steps"] if "two_hosts" in results else ():
        if s["ranks"] == 2 and s["batch"] == batch:
            seconds = captions / batch * s["seconds"]
            axes.plot(
                2, seconds, "D", color=SLOW, markersize=5, label="2 ranks, two hosts", zorder=3
            )
    _logarithmic(axes, "ranks", "seconds an epoch")
    _ranks(axes)
    axes.set_title(f"{HERE}, N = {batch}: measured, model", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper right", handletextpad=0.2)


def _projected(figure: Any, model: Model) -> None:
    """A row for each data set, a column for each way of choosing N."""
    ways = [way for way, _ in projection.batches_of(1)]
    rows = figure.subplots(len(DATA_SETS), len(ways), sharey="row", squeeze=False)
    other = model.otherwise()
    for axes_of_row, data in zip(rows, DATA_SETS, strict=True):
        task = model.task(data)
        for axes, way in zip(axes_of_row, ways, strict=True):
            for cluster in other.clusters()[1:]:
                points = [p for p in other.curve(task, cluster, way) if p.ranks >= projection.NODE]
                _line(axes, points, COLOURS[cluster.name], "--", 0.9, None)
            for cluster in model.clusters():
                _curve(axes, model.curve(task, cluster, way), COLOURS[cluster.name], cluster.name)
            begin = model.curve(task, model.clusters()[0], way)[0].seconds
            ideal = [begin / r for r in RANKS]
            axes.plot(RANKS, ideal, ":", color=FAINT, linewidth=1, label="R times as fast")
            _logarithmic(axes, "ranks", "")
            _ranks(axes)
            axes.set_title(f"{data.name}, {way}", fontsize=10)
        axes_of_row[0].set_ylabel("seconds an epoch")
        low = min(min(line.get_ydata()) for line in axes_of_row[0].lines)
        axes_of_row[0].set_ylim(bottom=low / 1.5)
        _few_updates(axes_of_row[-1], data.captions)
    handles, labels = rows[0][0].get_legend_handles_labels()
    dashes = Line2D([], [], color=FAINT, linestyle="--", linewidth=0.9)
    dot = Line2D([], [], color=FAINT, marker="o", linestyle="", markersize=5)
    figure.legend(
        [*handles, dashes, dot],
        [
            *labels,
            "if by nodes" if other.by_node else "if flat",
            "pays up to here",
        ],
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=8.5,
    )
    figure.suptitle(
        f"Projected: {projection.NODE} ranks on a node, which share its card", fontsize=11
    )


def _few_updates(axes: Any, captions: int) -> None:
    """Grey where an epoch is too short for so large a batch."""
    most = captions / (projection.WEAK * projection.UPDATES)
    left, right = axes.get_xlim()
    axes.axvspan(most, right, color=GRID, alpha=0.45, linewidth=0)
    axes.set_xlim(left, right)
    axes.text(
        right / 1.15,
        0.97,
        f"fewer than {projection.UPDATES}\nupdates an epoch",
        transform=axes.get_xaxis_transform(),
        ha="right",
        va="top",
        fontsize=8,
        color=COLOURS["one machine"],
    )


def _curve(axes: Any, points: list[Point], colour: str, label: str | None) -> None:
    """A line, with a dot where more ranks do not pay any more."""
    _line(axes, points, colour, "-", 1.5, label)
    end = projection.pays(points)
    axes.plot(end.ranks, end.seconds, "o", color=colour, markersize=5)


def _line(
    axes: Any, points: list[Point], colour: str, style: str, width: float, label: str | None
) -> None:
    xs, ys = [p.ranks for p in points], [p.seconds for p in points]
    axes.plot(xs, ys, style, color=colour, linewidth=width, label=label)


def _logarithmic(axes: Any, x: str, y: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_xlabel(x)
    if y:
        axes.set_ylabel(y)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _ranks(axes: Any) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(RANKS[::2]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.xaxis.set_minor_locator(NullLocator())
