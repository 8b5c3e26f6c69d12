"""The plot of a run's results: ratios of training steps above, growth below."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.measures.growth import Growth
from benchmarks.measures.train_step import RIVALS, TrainStep
from benchmarks.ratios import BASE
from benchmarks.results import Results

COLOURS: Final = {
    "torch_padded": "#E69F00",
    "torch_packed": "#D55E00",
    "torch_compiled": "#CC79A7",
    "jax": "#009E73",
    "plain_numpy": "#56B4E9",
    "gemm_bound": "#57606A",
    BASE: "#0072B2",
}
BOUND: Final = "gemm_bound"
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnkit",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


def write(results: Results, path: Path) -> None:
    """Draw what there is of both, and save it in the form that the path's ending says."""
    steps, growth = results.get("train_step", []), results.get("growth", [])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 7.2), layout="constrained", facecolor="white")
        halves: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
        upper, lower = halves
        if steps:
            _ratios(upper.subplots(), steps)
        if growth:
            for axes, entry in zip(
                lower.subplots(1, len(growth), sharey=True), growth, strict=True
            ):
                _growth(axes, entry)
            lower.supylabel("ms a step", fontsize=9)
            lower.suptitle("How the time of an LSTM's training step grows", fontsize=10)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def _ratios(axes: Any, steps: list[TrainStep]) -> None:
    """Bars from 1 on a logarithmic axis: upwards rnnkit is faster, downwards slower."""
    names = [name for name in RIVALS if any(name in e["ratio"] for e in steps)]
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        places = [i - 0.4 + (k + 0.5) * width for i, e in enumerate(steps) if name in e["ratio"]]
        heights = [e["ratio"][name] - 1.0 for e in steps if name in e["ratio"]]
        axes.bar(places, heights, 0.9 * width, bottom=1.0, color=COLOURS[name], label=name)
    for i, entry in enumerate(steps):
        label = f"{BOUND} (bare products)" if i == 0 else None
        bound = entry["ratio"][BOUND]
        axes.plot(
            (i - 0.4, i + 0.4), (bound, bound), color=COLOURS[BOUND], linewidth=2, label=label
        )
    axes.axhline(1.0, color=COLOURS[BASE], linewidth=2, label=BASE)
    axes.set_yscale("log", base=2)
    values = [v for e in steps for n, v in e["ratio"].items() if n in (*names, BOUND)]
    ticks = [t for t in (0.25, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.7, 8, 16) if t < 1.2 * max(values)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if t > min(values) / 1.2]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#D0D7DE", linewidth=0.6)
    axes.set_xlim(-0.6, len(steps) - 0.4)
    axes.set_xticks(range(len(steps)), [f"{e['cell']}\nN = {e['batch']}" for e in steps])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("time / time of rnnkit")
    axes.set_title("Training step: above the line, rnnkit is faster", fontsize=10)
    axes.legend(ncols=len(names) + 2, loc="upper center", frameon=False, fontsize=8)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 1.2)  # room for the legend


def _growth(axes: Any, entry: Growth) -> None:
    """Times of one size on logarithmic axes, with the lines that give the exponents."""
    values = entry["values"]
    for name, marker, style in ((BASE, "o", "-"), (BOUND, "s", "--")):
        times, p = entry["ms"][name], entry["exponent"][name]
        middle = math.exp(
            sum(math.log(t) - p * math.log(v) for t, v in zip(times, values, strict=True))
            / len(values)
        )
        colour = COLOURS[name]
        axes.plot(values, times, marker, color=colour, markersize=4)
        axes.plot(
            values,
            [middle * v**p for v in values],
            style,
            color=colour,
            linewidth=1,
            label=f"{name}: p = {p:.2f}",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, [str(v) if v < 1000 else f"{v // 1000}k" for v in values])
    axes.grid(color="#D0D7DE", linewidth=0.6)
    axes.set_xlabel(entry["size"])
    axes.legend(frameon=False, fontsize=8, loc="lower right")
