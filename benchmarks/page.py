"""The page and the plot of a run's results.

python -m benchmarks.page FILE.json
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.machine import Machine
from benchmarks.measures import MEASURES
from benchmarks.measures.train_step import TOLERANCE
from benchmarks.results import Results
from benchmarks.table import markdown, number
from benchmarks.turns import ROOT

PAGE: Final = "performance.md"
PLOT: Final = "performance.svg"
WIDTH: Final = 119

CONTENDERS: Final = {
    "rnnkit": "`Trainer.update`, in a process set up as that of `rnnkit train`.",
    "torch_padded": "PyTorch as most write it: `nn.RNN`, `nn.LSTM`, `nn.GRU` on padded captions, a loss that ignores "
    "the padding, fused Adam.",
    "torch_packed": "PyTorch as an expert writes it: packed sequences, scores and loss of real tokens only, fused "
    "Adam.",
    "torch_compiled": "The padded one through `torch.compile`.",
    "jax": "One jitted function with a `lax.scan`: loss, gradients and Adam together, old arrays donated.",
    "plain_numpy": "NumPy as in the assignment that rnnkit grew out of (CS231n): padded arrays, a Python loop over "
    "time with all products and a cache at each step, a masked loss.",
    "gemm_packed": "Only the matrix products of the step, by NumPy, all tokens packed, operands and results allocated "
    "beforehand.",
    "gemm_bound": "The same, but each distinct word of the batch is projected once, as rnnkit does. This is the bound "
    "of what rnnkit's step can reach.",
}

INTRODUCTION: Final = """\
    How fast and how frugal rnnkit is, beside PyTorch, JAX, NumPy as it is written first, and the bare matrix products
    of the same step. `{command}` makes all measurements, and writes this page and its plot. Ratios are always the
    other's number / rnnkit's: over 1, rnnkit is the better one."""

MEANS: Final = """\
    Training steps: time / rnnkit's time, the geometric mean over the vanilla network and the LSTM at all sizes of
    batch. (The bare products are a part of rnnkit's step: what is missing to 1 is everything else it does.)"""

HOW: Final = """\
    Each contender runs in a process of its own, kept to the same {threads} cores. Only one works at any time: they take
    turns of {steps} steps, with {pause} s of rest before each turn, for {rounds} rounds. A ratio is taken within a
    round, and its median over the rounds is reported; times are medians, too. In one process it would not do: the
    idle threads of one library go on spinning after each product, and slow down whoever comes next."""

SIZES: Final = """\
    Sizes, if nothing else is said: {sizes} word vectors of width 256, H = 512, float32, Adam with learning rate 1e-3."""

RANDOM: Final = """\
    Captions are random: their lengths are drawn from those of Flickr8k's captions, their words independently by Zipf's
    law, with the exponent that gives a batch about as many distinct words as one of Flickr8k. Features are normal.
    (`--data DIR` takes real ones.) For captioning, a network learns 64 such captions by heart."""

REAL: Final = "Captions and features are drawn at random from the train split of {data}."

SECTIONS: Final = {
    "train_step": f"""\
        Loss, gradients and update of one batch; the loss is summed over unmasked positions and divided by N. All begin
        with the same parameters, and it is checked before anything is timed that they have the same loss on the first
        batch and after one, two and three updates, to {TOLERANCE:g} of it. *ms* is rnnkit's time, the other columns are
        ratios. Batches lie in memory, as tensors for PyTorch and JAX.""",
    "epoch": """\
        An epoch as a user waits for it: opening the folder, reading captions and features, shuffling, and all updates.
        PyTorch's is a plain loop over packed batches, without a DataLoader.""",
    "decode": """\
        An LSTM after 300 updates, whose captions end like real ones. PyTorch's contender is a loop over `nn.LSTMCell` in
        inference mode, which takes the largest score and stops when all captions have ended; rnnkit also keeps the log
        probabilities. Both never say `<NULL>`, `<START>` or `<UNK>`, and it is checked that 99 % of their tokens are the
        same. The ratio of the beam is rnnkit's own, to its greedy captions.""",
    "memory": """\
        The highest resident memory of a process that makes an LSTM and takes three steps with Adam at N = 128, less what
        it has after the imports. Random captions. JAX compiles in the same process.""",
    "growth": """\
        An LSTM (N = 64, 16 time steps, H = 256, V = 2541) while one size changes and the others stay; captions without
        padding, T counts time steps. *p* is the slope of the line through the logarithms of all sizes. What does not
        grow with a size, and costs more at its small values, keeps p low.""",
    "startup": """\
        Whole processes, with their files in the system's cache: what a command of rnnkit takes, beside what it takes
        only to import the others.""",
    "size": """\
        Files on the disk, compiled bytecode left out, of a package and of all that it requires. Of PyTorch this is the
        version named above; a build with CUDA is several times as large.""",
}


def text(results: Results) -> str:
    """The page."""
    settings, data = results["settings"], results["settings"]["data"]
    means = results.get("geometric_mean")
    sizes = "those of the data," if data else "T = 17 tokens (16 time steps), F = 512, V = 2541,"
    return (
        "\n\n".join(
            (
                "# Performance",
                paragraph(INTRODUCTION.format(command=command(data))),
                f"![Training steps: each contender's time / rnnkit's; and how rnnkit's time grows]({PLOT})",
                *((paragraph(MEANS), _one_row(means)) if means else ()),
                "## How it is measured",
                paragraph(HOW.format(**settings)),
                "\n".join(paragraph(f"- `{k}`: {v}", hanging=2) for k, v in CONTENDERS.items()),
                paragraph(
                    SIZES.format(sizes=sizes) + " " + (REAL.format(data=data) if data else RANDOM)
                ),
                paragraph(machine(results["machine"])),
                *_sections(results),
            )
        )
        + "\n"
    )


def command(data: str | None) -> str:
    """What makes the measurements."""
    return 'make bench BENCH_ARGS="--data DIR"' if data else "make bench"


def paragraph(words: str, hanging: int = 0) -> str:
    """Text filled to the page's width, its later lines hanging in."""
    return textwrap.fill(
        " ".join(words.split()),
        WIDTH,
        subsequent_indent=" " * hanging,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _one_row(values: dict[str, float]) -> str:
    return markdown([*values], [[number(v) for v in values.values()]])


def machine(m: Machine) -> str:
    """Where and when it was measured, and with what."""
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    return (
        f"Measured on {m['date']} on {m['cpu']}, {m['cores']} cores, {m['memory_gb']} GiB, {m['system']}; "
        f"{versions}."
    )


def _sections(results: Results) -> Iterator[str]:
    for name, about in SECTIONS.items():
        if name not in results:
            continue
        m, entries = MEASURES[name], results[name]  # type: ignore[literal-required]  # a key of both
        yield f"## {m.title}"
        yield paragraph(about)
        if entries:
            yield markdown(m.headings, map(m.row, entries))
        if name in results["not_measured"]:
            yield paragraph(f"Not measured here: {results['not_measured'][name]}.")
        if name == "train_step":
            yield from _left_out(results)


def _left_out(results: Results) -> Iterator[str]:
    for entry in results["train_step"]:
        for name, reason in entry["left_out"].items():
            yield paragraph(
                f"Left out for the {entry['cell']} cell at N = {entry['batch']}, as it failed there: {reason} ({name})"
            )


def write(results: Results, folder: Path) -> None:
    """Write the page and the plot to a folder."""
    from benchmarks import plot  # wants matplotlib, and the page does not

    (folder / PAGE).write_text(text(results), encoding="utf-8")
    plot.write(results, folder / PLOT)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), ROOT / "docs")
