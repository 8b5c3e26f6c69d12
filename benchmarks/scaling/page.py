"""The page and the plot of a run's results.

python -m benchmarks.scaling.page FILE.json
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.page import machine, paragraph
from benchmarks.scaling import fits, model, projection
from benchmarks.scaling.model import Cluster, Task
from benchmarks.scaling.projection import (
    CC12M,
    COCO,
    DATA_SETS,
    ETHERNET,
    FAST,
    HERE,
    NODE,
    PAYS,
    RANKS,
    UPDATES,
    WEAK,
    Model,
    Point,
)
from benchmarks.scaling.results import Epochs, Reduction, Results
from benchmarks.table import markdown, number
from benchmarks.turns import ROOT

PAGE: Final = "scaling.md"
PLOT: Final = "scaling.svg"
TOKENS: Final = 17
"""Of a caption in memory, as int32, at the data sets that are projected to."""

INTRODUCTION: Final = """\
    This page shows what training in more than one process gains. It was measured on {cores} cores. A cost model
    takes its coefficients from these measurements and projects them to {most:,} ranks, which nobody has tried.
    `{command}` made the measurements and wrote this page and its plot; `make scaling SCALING_ARGS=...` is the same.
    The numbers are of four kinds:"""

KINDS: Final = (
    "**measured**: the times of whole epochs, of reductions, of gradients, updates and reading, and everything "
    "between two hosts. All of this was on one machine, so at most {cores} ranks had a core of their own.",
    "**fitted**: the coefficients of the cost model. The tables give the errors that remain.",
    "**simulated**: how evenly batches are shared. The function that training uses shares batches of {lengths}, "
    "for every number of ranks.",
    "**assumed**: the networks between nodes; that a node has {node} ranks, and that all of them reach each other "
    "as two ranks do here; that the captions of other data sets are as long as these.",
)

ALT: Final = (
    "Gradients, reductions and epochs measured; epochs of two data sets projected to 1,024 ranks"
)

PAYS_ABOUT: Final = """\
    A number of ranks R *pays* as long as its efficiency is at least {pays:g}. The efficiency is the seconds of one
    rank / (R x the seconds of R ranks). With more ranks, the last column says what most of the added time is lost
    to."""

EPOCH: Final = """\
    The network is the LSTM of `specs/flickr8k-lstm.toml` ({parameters:,} parameters). It trains for {what}, with
    features in memory and without evaluation. Each time is that of a separate process or job, from the first update
    to the last. They take turns ({rounds} each) with {pause:g} s of rest before each; with one thread there is one
    turn only. Seconds are medians. The ratio is computed within each round: one process with {ranks} threads /
    {ranks} ranks with one thread each. The table has its median and its range. Above 1, ranks are faster."""

REDUCTION: Final = """\
    The table has the milliseconds of a sum of float32 over ranks. *shares* is a reduce-scatter and an all-gather, as
    in training. *whole* is an allreduce, after which all ranks have the whole sum. The numbers are medians over up
    to 200 runs, which the ranks begin together."""

LINKS: Final = """\
    The latency and the bandwidth of each link are fitted to *shares* by two ranks, with least squares of relative
    errors: seconds = 2 latency + bytes / bandwidth. The fit uses the smallest buffer and those of at least {long}.
    Buffers in between may stay in the processor's caches and be faster. *small* is the time for the sums of a few
    numbers that each update also needs. *sent* is the number of bytes that left through the network device, by the
    kernel's count, divided by the bytes of the buffer. On loopback it counts both ranks, between two hosts only one."""

HOSTS: Final = """\
    The two hosts are two network namespaces on this machine, with a pair of virtual devices between them, {rate}
    each way (`tc`'s token bucket). MPI runs over TCP, with one thread per rank, for {updates} updates each. *sent*
    is what the device of one host sent in an update, divided by the bytes of the parameters. *After* means that
    gradients are sent after the backward pass. *During* means that they are sent while it runs, those of the head
    first."""

FORMULA: Final = """\
```text
step(R, N) = max(compute + copy + reduce + update, read)

compute    = fixed + token x tokens + step x time steps          of the rank for which that is most
copy       = a P                                                 gradients into the buffer, if R > 1
update     = b P / R
read       = bytes of the features of a node's rows / rate       goes on in the background

reduce, flat     = 2 (R - 1) latency + (R - 1) / R bytes / bandwidth                  the all-gather's ring
                 + (r - 1) / R bytes / bandwidth                                      within a node of r ranks
                 + r (R - r) / R bytes / bandwidth                                    through the node's card
reduce, by nodes = 2 log2 r latency + 2 (r - 1) / r bytes / bandwidth                 within a node
                 + 2 log2 (R / r) latency + 2 (R - r) / R bytes / bandwidth           through its card
                 and {small} log2 R latency in both for the sums of a few numbers

epoch      = captions / N x step
```"""

MODEL: Final = """\
    P is the number of parameters, all in float32. The model assumes that only reading overlaps with other work.
    Gradients, updates and copies are timed in {busy} at once, as in training, because cores share the bandwidth of
    their memory."""

GRADIENTS: Final = """\
    The table has the milliseconds of `loss_and_gradients` with one thread, at 1, 2, 4, .. captions. The {here}
    network is measured on {captions}. The others are measured on random captions of Flickr8k's lengths, with V words
    and features of width F. The errors are fitted / measured - 1. For shares with more rows than the largest
    measured, the model extrapolates."""

VALID: Final = """\
    The coefficients of the model come from parts that were timed separately. This table compares the model with
    whole updates. Times are milliseconds per update, and one rank is one thread."""

ASSUMED: Final = (
    "{coco.name}: {coco.captions:,} captions (train2014, 82,783 images), V = {coco.vocabulary:,}, F = "
    "{coco.features:,} (fc7 without a PCA, float32), {coco_p:,} parameters. {cc.name}: {cc.captions:,} captions, "
    "each with its own image, V = {cc.vocabulary:,}, F = {cc.features:,}, {cc_p:,} parameters. Everything else in "
    "the network is as in the spec.",
    "*one machine*: all ranks share one memory, and each has as much bandwidth as each of two ranks has here. "
    "This machine has {cores} cores, so this is a limit and not a real machine.",
    "*10 Gbit/s*: nodes of {node} ranks. Each node is like *one machine* and has a card of {e_bandwidth:g} GB/s "
    "and {e_latency:g} µs. *100 Gbit/s*: the same with {f_bandwidth:g} GB/s and {f_latency:g} µs. All ranks of a "
    "node share its card. Up to {node} ranks, the three are the same.",
    "{scheme}",
    "Each node reads the features of its rows from its own disk, at {read} MB/s (measured here, by shuffled "
    "blocks of neighbours). Every caption reads the features of its image.",
)

FLAT: Final = (
    "The reduction is *flat*, as is MPI's own reduce-scatter of a long buffer: every rank sends its share to "
    "every other, and a card carries up to {node} times the buffer for the {node} ranks behind it."
)

BY_NODE: Final = "The reduction is *by nodes*: the ranks of a node sum first, and a card carries at most twice the buffer."

EITHER: Final = """\
    The table has the milliseconds of one reduction, if the ranks of a node sum first (*by nodes*) or if every rank
    sends to every other (*flat*). {otherwise}"""


def text(results: Results) -> str:
    """The page."""
    found = Model.of(results)
    parts = [
        "# Scaling",
        paragraph(
            INTRODUCTION.format(
                cores=results["machine"]["cores"],
                most=max(RANKS),
                command=results["settings"]["command"],
            )
        ),
        _kinds(results),
        f"![{ALT}]({PLOT})",
        *(_conclusion(found) if found else ()),
        "## Epochs, measured",
        *_epochs(results),
        "## Reductions, measured",
        *_reductions(results),
        "## Two hosts, measured",
        *_hosts(results),
        "## The cost model",
        *_model(results),
        *(_projections(results, found) if found else _nothing(results)),
        "## Where it was measured",
        paragraph(machine(results["machine"])),
    ]
    return "\n\n".join(parts) + "\n"


def _kinds(results: Results) -> str:
    words = {
        "cores": results["machine"]["cores"],
        "node": NODE,
        "lengths": f"{_data(results)}'s lengths",
    }
    return "\n".join(paragraph(f"- {kind.format(**words)}", hanging=2) for kind in KINDS)


def _data(results: Results) -> str:
    """What the captions are of."""
    return results["settings"]["data"] or "Flickr8k"


def _conclusion(found: Model) -> Iterator[str]:
    yield "## How far it pays"
    yield paragraph(PAYS_ABOUT.format(pays=PAYS))
    rows = []
    for data in DATA_SETS:
        task = found.task(data)
        for way, _ in projection.batches_of(1):
            for cluster in found.clusters():
                rows.append(_far(data.name, way, cluster, found.curve(task, cluster, way)))
    yield markdown(
        (
            "data",
            "batch",
            "between ranks",
            "pays up to",
            "s an epoch",
            "times as fast",
            "then lost to",
        ),
        rows,
    )
    for data in DATA_SETS:
        yield paragraph(_sentence(found, found.task(data)))


def _far(name: str, way: str, cluster: Cluster, points: Sequence[Point]) -> list[str]:
    end = projection.pays(points)
    after = [p for p in points if p.ranks > end.ranks]
    return [
        name,
        way,
        cluster.name,
        f"{end.ranks:,}",
        _seconds(end.seconds),
        number(points[0].seconds / end.seconds),
        model.PARTS[after[0].limit] if after else "-",
    ]


def _sentence(found: Model, task: Task) -> str:
    """What to do with a data set, in words."""
    far = {}
    for way, _ in projection.batches_of(1):
        for cluster in found.clusters()[1:]:
            far[way, cluster.name] = projection.pays(found.curve(task, cluster, way)).ranks
    useful = [r for r in RANKS if task.captions / (WEAK * r) >= UPDATES]
    most = max(useful)
    strong = [
        f"at {way} up to " + _either(far[way, "10 Gbit/s"], far[way, "100 Gbit/s"])
        for way in (f"N = {batch:,}" for batch in projection.STRONG)
    ]
    way = f"{WEAK} rows a rank"
    weak = [min(far[way, name], most) for name in ("10 Gbit/s", "100 Gbit/s")]
    return (
        f"**{task.name}** pays {' and '.join(strong)} ranks. With {way} the batch grows with the ranks. By its efficiency "
        f"alone, this pays up to {_either(far[way, '10 Gbit/s'], far[way, '100 Gbit/s'])} ranks. But an epoch has only "
        f"{task.captions:,} captions. To keep {UPDATES} updates in an epoch, use at most {most:,} ranks. So it pays up to "
        f"{_either(*weak)} ranks. {max(RANKS):,} ranks would leave {task.captions / (WEAK * max(RANKS)):.0f} updates."
    )


def _either(ethernet: int, fast: int) -> str:
    """A number for both networks."""
    if ethernet == fast:
        return f"{fast:,}"
    return f"{ethernet:,} (10 Gbit/s) or {fast:,} (100 Gbit/s)"


def _epochs(results: Results) -> Iterator[str]:
    settings, entries = results["settings"], results["epochs"]
    many, few = f"{settings['ranks']} threads", f"{settings['ranks']} ranks"
    whole = settings["data"] is not None
    yield paragraph(
        EPOCH.format(
            parameters=projection.computed(results, HERE)["parameters"],
            what=(
                f"one epoch of {entries[0]['captions']:,} captions of {settings['data']}"
                if whole
                else f"{entries[0]['updates']} updates on random captions of Flickr8k's lengths"
            ),
            **settings,
        )
    )
    yield markdown(
        ("batch", "updates", "1 thread s", f"{many} s", f"{few} s", f"{many} / {few}", "range"),
        [_epoch_row(entry, many, few) for entry in entries],
    )
    if any(few not in entry["seconds"] for entry in entries):
        yield paragraph(f"Ranks were not measured here: {results['not_measured']['ranks']}.")
        return
    yield paragraph(" ".join(_verdict(entry, many, few) for entry in entries))
    startup = {name: entries[0]["startup"][name] for name in (many, few)}
    yield paragraph(
        f"Before its first update, one process took {number(startup[many])} s to start, to read the data and to "
        f"build the network. {few} took {number(startup[few])} s, including the start of MPI."
    )


def _ratios(entry: Epochs, many: str, few: str) -> list[float]:
    pairs = zip(entry["seconds"].get(many, []), entry["seconds"].get(few, []), strict=False)
    return [alone / together for alone, together in pairs]


def _epoch_row(entry: Epochs, many: str, few: str) -> list[str]:
    found = _ratios(entry, many, few)
    medians = {name: statistics.median(times) for name, times in entry["seconds"].items()}
    return [
        str(entry["batch"]),
        str(entry["updates"]),
        *(number(medians.get(name)) for name in ("1 thread", many, few)),
        number(statistics.median(found) if found else None),
        f"{number(min(found))} to {number(max(found))}" if found else "-",
    ]


def _verdict(entry: Epochs, many: str, few: str) -> str:
    ratio = statistics.median(_ratios(entry, many, few))
    how = (
        f"{few} are {ratio:.2f} times as fast as {many}"
        if ratio >= 1
        else f"{few} take {1 / ratio:.2f} times as long as {many}"
    )
    alone = statistics.median(entry["seconds"]["1 thread"])
    together = statistics.median(entry["seconds"][few])
    longer = alone / together
    return (
        f"At N = {entry['batch']}, {how}; one thread takes {longer:.2f} times as long as they do."
    )


def _reductions(results: Results) -> Iterator[str]:
    found = results["reductions"]
    if not found:
        yield paragraph(f"Not measured here: {results['not_measured']['reductions']}.")
        return
    yield paragraph(REDUCTION)
    headings = ["bytes"]
    for r in found:
        over = " *" if r["ranks"] > r["cores"] else ""
        headings += [f"{r['link']}, {r['ranks']}{over}: shares", "whole"]
    sizes = found[0]["sizes"]
    rows = [
        [
            _bytes(size),
            *(f"{1e3 * r[kind][i]:.3g}" for r in found for kind in ("shares", "whole")),
        ]
        for i, size in enumerate(sizes)
    ]
    yield markdown(headings, rows)
    if any(r["ranks"] > r["cores"] for r in found):
        yield paragraph(
            f"\\* More ranks than the {found[0]['cores']} cores. They wait for each other, so these numbers say nothing about "
            "ranks with a core each."
        )
    yield paragraph(LINKS.format(long=_bytes(projection.LONG)))
    pairs = [r for r in found if r["ranks"] == 2]
    if "two_hosts" in results:
        pairs.append(results["two_hosts"]["reduction"])
    yield markdown(
        ("link", "latency µs", "GB/s", "small µs", "sent", "error, median", "error, largest"),
        [_link_row(r) for r in pairs],
    )


def _link_row(r: Reduction) -> list[str]:
    link = projection.link_of(r)
    errors = fits.errors(*projection.link_terms(r), (link.latency, 1 / link.bandwidth))
    return [
        r["link"],
        number(1e6 * link.latency),
        number(link.bandwidth / 1e9),
        number(1e6 * r["small"]),
        number(r["sent"]),
        *_errors(errors),
    ]


def _errors(errors: Sequence[float]) -> tuple[str, str]:
    sizes = [abs(e) for e in errors]
    return f"{statistics.median(sizes):.0%}", f"{max(errors, key=abs):+.0%}"


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else number(value)


def _bytes(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"


def _hosts(results: Results) -> Iterator[str]:
    if "two_hosts" not in results:
        yield paragraph(f"Not measured: {results['not_measured']['two_hosts']}.")
        return
    hosts = results["two_hosts"]
    yield paragraph(HOSTS.format(rate=hosts["rate"], updates=hosts["steps"][0]["updates"]))
    yield markdown(
        ("batch", "ranks", "ms an update, sent after", "during", "sent"),
        [
            [
                str(s["batch"]),
                str(s["ranks"]),
                number(1e3 * s["seconds"]),
                number(1e3 * s["overlapped"]),
                number(s["sent"]),
            ]
            for s in hosts["steps"]
        ],
    )
    gains = [s["seconds"] / s["overlapped"] - 1.0 for s in hosts["steps"] if s["ranks"] == 2]
    yield paragraph(
        f"If gradients are sent during the backward pass (`RNNKIT_OVERLAP=1`), updates by two ranks are {min(gains):+.0%} "
        f"to {max(gains):+.0%} faster. {_paid(max(gains))}"
    )
    several = [s for s in hosts["steps"] if s["ranks"] > 2]
    for s in several:
        flat, by_node = (projection.sent(s["ranks"], way) for way in (False, True))
        like = "by nodes" if projection.sums_by_node(results) else "flat"
        yield paragraph(
            f"With {s['ranks'] // 2} ranks on each host, there are two ways to reduce. *By nodes*, the ranks of a host sum "
            f"first, and {by_node:g} times the buffer is sent. *Flat*, every rank sends to every other, and {flat:g} times the "
            f"buffer is sent. The measured number, {number(s['sent'])}, is that of the one *{like}*. So the projections "
            "assume this one."
        )


def _paid(gain: float) -> str:
    """Whether it pays to send during the backward pass."""
    if gain > 0.02:
        return "It pays here."
    return (
        "It does not pay here, because MPI moves the data on the cores that compute. So it is off by default. Turn it on "
        "if a network card moves the data by itself."
    )


def _model(results: Results) -> Iterator[str]:
    yield FORMULA.format(small=model.SMALL_SUMS)
    busy = results["compute"][0]["busy"]
    yield paragraph(MODEL.format(busy=f"{busy} processes" if busy > 1 else "one process"))
    data = results["settings"]["data"]
    yield paragraph(
        GRADIENTS.format(here=HERE, captions=f"captions of {data}" if data else "random captions")
    )
    rows = []
    for compute in results["compute"]:
        work = projection.work(compute)
        errors = fits.errors(
            projection.work_terms(compute),
            projection.work_times(compute),
            (work.fixed, work.token, work.step),
        )
        one, most = compute["batches"][0], compute["batches"][-1]
        rows.append(
            [
                compute["network"],
                f"{compute['vocabulary']:,}",
                f"{compute['features']:,}",
                f"{compute['parameters']:,}",
                number(1e3 * one["seconds"]),
                f"{number(1e3 * most['seconds'])} ({most['rows']})",
                number(1e3 * work.fixed),
                number(1e3 * work.token),
                number(1e3 * work.step),
                *_errors(errors),
            ]
        )
    yield markdown(
        (
            *("network", "V", "F", "P", "ms of 1", "of most (N)"),
            *("fixed ms", "a token ms", "a step ms", "error, median", "largest"),
        ),
        rows,
    )
    yield paragraph(_speeds(results))


def _speeds(results: Results) -> str:
    update, reading = results["update"], results["reading"]
    terms = [(float(n),) for n in update["elements"]]
    words = []
    for what, times in (("Adam's update", update["seconds"]), ("a copy", update["copy"])):
        found = fits.coefficients(terms, times)
        median, largest = _errors(fits.errors(terms, times, found))
        words.append(
            f"{what} takes {number(1e9 * found[0])} ns an element (error {median}, at most {largest})"
        )
    low, high = update["elements"][0], update["elements"][-1]
    rates = reading["rates"]
    return (
        f"For {low:,} to {high:,} elements that are not in the processor's caches, {' and '.join(words)}. Reading rows of "
        f"{reading['row_bytes'] >> 10} KB from a file of {_bytes(reading['file_bytes'])} that is not in the system's cache "
        f"({reading['filesystem']}) runs at {number(rates['in order'] / 1e6)} MB/s in order, "
        f"{number(rates['runs'] / 1e6)} MB/s by shuffled blocks of a megabyte, and {number(rates['rows'] / 1e6)} MB/s one by "
        "one."
    )


def _nothing(results: Results) -> Iterator[str]:
    yield "## Projection"
    yield paragraph(
        "None: it needs the reductions between ranks, which were not measured here: "
        f"{results['not_measured']['reductions']}."
    )


def _projections(results: Results, found: Model) -> Iterator[str]:
    yield "## Is the model right?"
    yield paragraph(VALID)
    checks = list(projection.checks(results, found))
    yield markdown(
        ("what", "batch", "measured ms", "model ms", "error", "compute", "reduce", "update, copy"),
        [
            [
                c.name,
                str(c.batch),
                number(1e3 * c.measured),
                number(1e3 * c.step.seconds),
                f"{c.error:+.0%}",
                number(1e3 * c.step.compute),
                number(1e3 * c.step.reduce),
                number(1e3 * (c.step.update + c.step.copy)),
            ]
            for c in checks
        ],
    )
    worst = max(checks, key=lambda c: abs(c.error))
    yield paragraph(
        f"The largest error is {worst.error:+.0%} ({worst.name}, N = {worst.batch}). A projection to many ranks has at least "
        "this error, and also the errors of its assumptions."
    )
    yield "## Projection"
    yield _assumptions(results, found)
    for data in DATA_SETS:
        yield f"### {data.name}: seconds an epoch, and efficiency"
        yield _table(found, found.task(data))
    yield "### The reduction"
    yield paragraph(EITHER.format(otherwise=_otherwise(found)))
    yield _either_table(found)
    yield "## What else limits"
    yield _limits(results, found)


def _assumptions(results: Results, found: Model) -> str:
    words = {
        "coco": COCO,
        "cc": CC12M,
        "coco_p": found.task(COCO).parameters,
        "cc_p": found.task(CC12M).parameters,
        "cores": results["machine"]["cores"],
        "node": NODE,
        "e_bandwidth": ETHERNET.bandwidth / 1e9,
        "e_latency": 1e6 * ETHERNET.latency,
        "f_bandwidth": FAST.bandwidth / 1e9,
        "f_latency": 1e6 * FAST.latency,
        "scheme": (BY_NODE if found.by_node else FLAT).format(node=NODE),
        "read": number(found.speeds.read / 1e6),
    }
    return "\n".join(paragraph(f"- {item.format(**words)}", hanging=2) for item in ASSUMED)


def _table(found: Model, task: Task) -> str:
    ways, clusters = [way for way, _ in projection.batches_of(1)], found.clusters()
    curves = {
        (way, cluster.name): {p.ranks: p for p in found.curve(task, cluster, way)}
        for way in ways
        for cluster in clusters
    }
    rows = []
    for ranks in RANKS:
        points = [curve.get(ranks) for curve in curves.values()]
        rows.append(
            [
                f"{ranks:,}",
                *(f"{_seconds(p.seconds)} ({p.efficiency:.2f})" if p else "-" for p in points),
                f"{task.captions / (WEAK * ranks):,.0f}",
            ]
        )
    headings = [f"{way}, {cluster.name}" for way in ways for cluster in clusters]
    return markdown(("ranks", *headings, "updates left"), rows)


def _otherwise(found: Model) -> str:
    """What the other kind of reduction would do to the numbers of ranks that pay."""
    other, way = found.otherwise(), f"{WEAK} rows a rank"
    parts = []
    for data in DATA_SETS:
        task = found.task(data)
        far = [
            projection.pays(m.curve(task, cluster, way)).ranks
            for m in (other, found)
            for cluster in m.clusters()[1:]
        ]
        parts.append(f"{data.name} up to {_either(*far[:2])} instead of {_either(*far[2:])}")
    return (
        f"If it were *{'by nodes' if other.by_node else 'flat'}*, {way} would pay with {' and with '.join(parts)} ranks. This "
        "does not count how many updates are left."
    )


def _either_table(found: Model) -> str:
    rows = []
    for data in DATA_SETS:
        size = model.FLOAT * found.task(data).parameters
        for ranks in (NODE, 2 * NODE, 4 * NODE, max(RANKS)):
            cells = [
                number(1e3 * cluster.reduce(size, ranks))
                for link in (ETHERNET, FAST)
                for by_node in (True, False)
                for cluster in [Cluster("", found.memory, link, NODE, by_node)]
            ]
            rows.append([data.name, _bytes(size), f"{ranks:,}", *cells])
    headings = [f"{n} Gbit/s, {way}" for n in (10, 100) for way in ("by nodes", "flat")]
    return markdown(("data", "buffer", "ranks", *headings), rows)


def _limits(results: Results, found: Model) -> str:
    most = max(RANKS)
    few = COCO.captions / (WEAK * most)
    each = CC12M.captions * TOKENS * 4 / 1e6
    row = model.FLOAT * CC12M.features
    cc, uneven = found.task(CC12M), _uneven(found)
    items = (
        f"The batch: with {WEAK} rows a rank, {most:,} ranks have a batch of {WEAK * most:,}. Then {COCO.name} has {few:.1f} "
        f"updates an epoch, and {CC12M.name} {CC12M.captions / (WEAK * most):.0f}. We did not measure how large a batch can be "
        "before a caption teaches the network less. Such batches may need more epochs or a larger learning rate. The "
        "efficiencies above do not include this.",
        f"Captions: every rank holds all captions. For {CC12M.name} these are {CC12M.captions:,} x {TOKENS} int32, or "
        f"{each:,.0f} MB for each rank and {NODE * each / 1e3:,.0f} GB for a node with {NODE} ranks.",
        f"Features: those of {CC12M.name} are {CC12M.captions * row / 1e9:,.0f} GB. A rank reads only its own rows, in shuffled "
        "blocks of a file. Ranks do not send features to each other, so each node must be able to read the file.",
        f"Parameters: each rank has all {cc.parameters:,} parameters of {CC12M.name}'s network, their gradient, the buffers, "
        "and its share of the optimizer's memory.",
        f"Uneven shares: {uneven}",
    )
    return "\n".join(paragraph(f"- {item}", hanging=2) for item in items)


def _uneven(found: Model) -> str:
    """How much longer the slowest rank computes than all would with the same tokens."""
    task = found.task(COCO)
    parts = []
    for batch, ranks in ((128, 2), (128, 64), (WEAK * max(RANKS), max(RANKS))):
        shares = found.shares(ranks, batch)
        if shares is None:
            continue
        pairs = list(zip(shares["tokens"], shares["batches"], strict=True))
        slow = statistics.fmean(model.slowest(task.work, candidates) for _, candidates in pairs)
        even = statistics.fmean(
            task.work.seconds(tokens / ranks, max(steps for _, steps in candidates))
            for tokens, candidates in pairs
        )
        parts.append(f"{slow / even - 1:+.1%} at N = {batch:,} and {ranks:,} ranks")
    return (
        "the gradient of the slowest rank takes longer than if all ranks had the same number of tokens and the longest "
        "row: " + ", ".join(parts) + " (COCO, simulated)."
    )


def write(results: Results, folder: Path) -> None:
    """Write the page and the plot to a folder."""
    from benchmarks.scaling import plot  # wants matplotlib, and the page does not

    (folder / PAGE).write_text(text(results), encoding="utf-8")
    plot.write(results, folder / PLOT)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), ROOT / "docs")
