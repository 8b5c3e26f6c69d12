"""The page and the plot of a run's results.

python -m benchmarks.page FILE.json
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

from benchmarks.load import BUSY
from benchmarks.machine import Machine
from benchmarks.measures import MEASURES
from benchmarks.measures.train_step import TOLERANCE
from benchmarks.ratios import BASE
from benchmarks.results import Results
from benchmarks.table import markdown, number, numbers
from benchmarks.turns import ROOT

PAGE: Final = "performance.md"
PLOT: Final = "performance.svg"
MACHINES: Final = "performance.json"
"""The means of every machine that was measured, to stand beside each other."""

WIDTH: Final = 119

CONTENDERS: Final = {
    "rnnkit": "`Trainer.update`, in a process with the settings of `rnnkit train`.",
    "torch_padded": "PyTorch as most people write it: `nn.RNN`, `nn.LSTM`, `nn.GRU` on padded captions, a loss that "
    "ignores the padding, fused Adam.",
    "torch_packed": "PyTorch as an expert writes it: packed sequences, scores and loss of real tokens only, fused Adam.",
    "torch_compiled": "`torch_padded` through `torch.compile`.",
    "jax": "One jitted function with a `lax.scan`. It computes loss, gradients and Adam together. The old arrays "
    "are donated.",
    "plain_numpy": "NumPy as in the assignment that rnnkit grew out of (CS231n): padded arrays, a Python loop over time "
    "with all products and a cache at each step, a masked loss.",
    "gemm_torch": "Only the matrix products of `torch_packed`, in PyTorch. All tokens are packed, and operands and results "
    "are allocated beforehand. No step of PyTorch can be faster than this.",
    "gemm_packed": "The same products in NumPy.",
    "gemm_bound": "In NumPy, but each distinct word of the batch is projected once, as in rnnkit. No step of rnnkit can "
    "be faster than this.",
}

INTRODUCTION: Final = """\
    This page compares the speed and memory of rnnkit with PyTorch, JAX, plain NumPy, and the matrix products of the
    same step alone. `{command}` makes all measurements, and writes this page and its plot. A ratio is always the
    other's number divided by rnnkit's. Above 1, rnnkit is better. On your machine, `make bench BENCH_ARGS=--quick`
    measures training steps alone within three minutes, and says whether its table can be trusted."""

MEANS: Final = """\
    The table has the time of a training step divided by rnnkit's time: the geometric mean over the vanilla network and
    the LSTM, at all sizes of batch. (The matrix products are a part of rnnkit's step. What is missing to 1 is
    everything else that the step does.)"""

OTHERS: Final = "The same means on every machine that this was measured on. What follows is of the one named below."

HOW: Final = """\
    Each contender runs in its own process, on the same {threads} cores. Only one works at a time. They take turns of
    {steps} steps, for {rounds} rounds, with {pause} s of rest before each turn. A ratio is computed within each round,
    and the page reports its median over the rounds. Times are medians too. The contenders cannot share a process: the
    idle threads of one library keep spinning after each product and slow down the next one."""

CLEARED: Final = (
    "No variable that holds them to an older kernel is set for any contender, and other programs kept less than "
    f"{BUSY:g} cores busy."
)

SIZES: Final = """\
    Unless a section says otherwise, the sizes are {sizes} word vectors of width 256, H = 512, float32, and Adam
    with learning rate 1e-3."""

RANDOM: Final = """\
    Captions are random. Their lengths are drawn from those of Flickr8k's captions. Their words are drawn independently
    by Zipf's law, with an exponent that gives a batch about as many distinct words as a batch of Flickr8k has.
    Features are normal. (`--data DIR` takes real data.) For captioning, a network learns 64 such captions by heart."""

REAL: Final = "Captions and features are drawn at random from the train split of {data}."

SECTIONS: Final = {
    "train_step": f"""\
        A step is the loss, the gradients and the update of one batch. The loss is summed over unmasked positions and
        divided by N. All contenders begin with the same parameters. Before the timing, a check compares their losses
        on the first batch, and after one, two and three updates. They agree to {TOLERANCE:g} of the loss. *ms* is
        rnnkit's time; the other columns are ratios. Batches are in memory, for PyTorch and JAX as tensors.""",
    "parts": """\
        The same step in a profile of Python's own (`cProfile`, which makes small steps up to a tenth slower). *products*
        is time inside matrix products. The rest is spent on each element or in Python: by the cell's equations, by the
        other layers (dropout, sums over rows of the embedding), by the loss with the blocks of the head's scores, by the
        update with Adam, and by the engine, which slices, packs and copies between them.""",
    "epoch": """\
        This is an epoch as a user waits for it: opening the folder, reading captions and features, shuffling, and all
        updates. PyTorch runs a plain loop over packed batches, without a DataLoader.""",
    "decode": """\
        The network is an LSTM after 300 updates. Its captions end like real ones. PyTorch runs a loop over
        `nn.LSTMCell` in inference mode. It takes the word with the largest score and stops when all captions have
        ended. ONNX Runtime runs what `rnnkit export` makes of the same network, log probabilities too, which rnnkit
        also keeps. None writes `<NULL>`, `<START>` or `<UNK>`. A check compares
        their captions: 99 % of the tokens are the same. The ratio of the beam compares rnnkit's beam search with its
        own greedy captions. *gemm* is the matrix products of the greedy captions alone, words projected beforehand.""",
    "memory": """\
        The number is the largest resident memory of a process, minus the memory after its imports. The process makes
        an LSTM and takes three steps with Adam at N = 128, on random captions. JAX compiles in the same process.""",
    "growth": """\
        The network is an LSTM (N = 64, 16 time steps, H = 256, V = 2541). One size changes, and the others stay.
        Captions have no padding, and T counts time steps. *p* is the slope of a line through the logarithms of all
        sizes and times. Work that does not grow with a size matters more at small sizes, and makes p smaller.""",
    "startup": """\
        These are whole processes, with their files in the system's cache: commands of rnnkit, and, for comparison,
        Python processes that only import another library.""",
    "size": """\
        This is the size of the files of a package, without compiled bytecode, alone and with all packages that it
        requires. PyTorch is the version named above, for CPUs; a build with CUDA is several times as large.""",
}


def text(results: Results, machines: Sequence[Means] = ()) -> str:
    """The page.

    Args:
        results: of one machine.
        machines: the means of all, this one included.
    """
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
                *((paragraph(OTHERS), _by_machine(machines)) if len(machines) > 1 else ()),
                "## How it is measured",
                paragraph(HOW.format(**settings)),
                "\n".join(paragraph(f"- `{k}`: {v}", hanging=2) for k, v in CONTENDERS.items()),
                paragraph(
                    SIZES.format(sizes=sizes) + " " + (REAL.format(data=data) if data else RANDOM)
                ),
                paragraph(machine(results["machine"])),
                paragraph(kernels(results["kernels"])),
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


class Means(TypedDict):
    """What one machine has beside others."""

    machine: str
    kernel: str
    date: str
    geometric_mean: dict[str, float]


def means_of(results: Results) -> Means:
    """Those of a run."""
    m = results["machine"]
    return Means(
        machine=f"{m['cpu']}, {m['cores']} cores",
        kernel=results["kernels"].get(BASE, "unknown"),
        date=m["date"],
        geometric_mean=results.get("geometric_mean", {}),
    )


def among(machines: Sequence[Means], new: Means) -> list[Means]:
    """All machines, the new one in the place of what it had before."""
    others = [one for one in machines if one["machine"] != new["machine"]]
    return sorted([*others, new], key=lambda one: one["machine"])


def _by_machine(machines: Sequence[Means]) -> str:
    names = list(dict.fromkeys(name for one in machines for name in one["geometric_mean"]))
    headings = ("machine", "NumPy's products", "measured on", *names)
    return markdown(
        headings,
        [
            [one["machine"], one["kernel"], one["date"], *numbers(one["geometric_mean"], names)]
            for one in machines
        ],
    )


def machine(m: Machine) -> str:
    """Where and when it was measured, and with what."""
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    return (
        f"Measured on {m['date']} on {m['cpu']}, {m['cores']} cores, {m['memory_gb']} GiB, {m['system']}; "
        f"{versions}."
    )


def kernels(found: Mapping[str, str]) -> str:
    """Whose matrix products are made by what."""
    by: dict[str, list[str]] = {}
    for name, kernel in found.items():
        by.setdefault(kernel, []).append(f"`{name}`")
    told = "; ".join(f"of {', '.join(names)}, {kernel}" for kernel, names in by.items())
    return f"Matrix products are made by: {told}. {CLEARED}" if told else CLEARED


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

    file = folder / MACHINES
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    machines = among(before, means_of(results))
    file.write_text(json.dumps(machines, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(text(results, machines), encoding="utf-8")
    plot.write(results, folder / PLOT)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), ROOT / "docs")
