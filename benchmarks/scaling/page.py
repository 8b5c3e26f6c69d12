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
    What training in more than one process gives, measured on {cores} cores, and by a cost model with coefficients from
    there, projected to {most:,} ranks that nobody has tried. `{command}` made the measurements and wrote this page and
    its plot; `make scaling SCALING_ARGS=...` is the same. What is what:"""

KINDS: Final = (
    "**measured**: the times of whole epochs, of reductions, of gradients, updates and reading, and all between two "
    "hosts; on one machine, so never more than {cores} ranks with a core of their own;",
    "**fitted**: the coefficients of the cost model, with the errors that they leave;",
    "**simulated**: how even the shares of batches are, by dealing out batches of {lengths} with the function that "
    "training uses, for every number of ranks;",
    "**assumed**: the networks between nodes, that a node has {node} ranks and all of them reach each other as two do "
    "here, and that captions of other data sets are as long as these.",
)

ALT: Final = (
    "Gradients, reductions and epochs measured; epochs of two data sets projected to 1,024 ranks"
)

PAYS_ABOUT: Final = """\
    A number of ranks *pays* as long as its efficiency, seconds of one rank / (R x seconds of R ranks), is at least
    {pays:g}. Beyond that, most of what is added is lost to what the last column says."""

EPOCH: Final = """\
    The LSTM of `specs/flickr8k-lstm.toml` ({parameters:,} parameters) for {what}, features in memory, without
    evaluation. Each time is that of a process or a job of its own, from the first update to the last. They take turns
    ({rounds} each) with {pause:g} s of rest before; with one thread there is one turn only. Seconds are medians,
    and the ratio is taken within a round: one process with {ranks} threads / {ranks} ranks with one thread each, its
    median and its range. Over 1, ranks are the faster ones."""

REDUCTION: Final = """\
    Milliseconds of a sum of float32 over ranks: *shares* is a reduce-scatter and an all-gather, as training does it;
    *whole* an allreduce, which leaves all ranks the whole sum. Medians over up to 200 runs, which the ranks begin
    together."""

LINKS: Final = """\
    Fitted to *shares* by two ranks, with least squares of relative errors: seconds = 2 latency + bytes / bandwidth, of the
    smallest buffer and of those from {long} on; between, buffers may stay in the processor's caches, and go faster.
    *small* is what the sums of a few numbers take that an update has besides, *sent* the bytes that the kernel saw leave
    through the network device, over those of the buffer: of both ranks on loopback, of one of two hosts."""

HOSTS: Final = """\
    Two network namespaces on this machine, a pair of virtual devices between them, {rate} each way (`tc`'s token
    bucket), MPI over TCP, one thread a rank: {updates} updates each. *sent* is what one host's device sent in an update,
    over the bytes of the parameters. *After* and *during* is when gradients are sent: once the backward pass is done, or
    while it goes on, those of the head first."""

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
    P is the number of parameters, all in float32. Nothing is taken to overlap but reading. Gradients, updates and copies
    are timed in {busy} at once, as training has them: cores share their memory's bandwidth."""

GRADIENTS: Final = """\
    Milliseconds of `loss_and_gradients` with one thread, at 1, 2, 4, .. captions; the {here} network on {captions}, the
    others on random captions of Flickr8k's lengths, with V words and features of width F. The errors are fitted /
    measured - 1. Shares with more rows than that are extrapolated."""

VALID: Final = """\
    The model's coefficients come from parts that were timed by themselves. Beside them, the whole: milliseconds an
    update, one rank being one thread."""

ASSUMED: Final = (
    "{coco.name}: {coco.captions:,} captions (train2014, 82,783 images), V = {coco.vocabulary:,}, F = {coco.features:,} "
    "(fc7 as it is, float32), {coco_p:,} parameters. {cc.name}: {cc.captions:,} captions, an image each, "
    "V = {cc.vocabulary:,}, F = {cc.features:,}, {cc_p:,} parameters. The rest of the network is that of the spec.",
    "*one machine*: all ranks in one memory like this machine's, with as much bandwidth for each as each of two has. It "
    "has {cores} cores, so this is a bound, not a machine.",
    "*10 Gbit/s*: nodes of {node} ranks, inside of which it is like that, with a card of {e_bandwidth:g} GB/s and "
    "{e_latency:g} µs. *100 Gbit/s*: the same with {f_bandwidth:g} GB/s and {f_latency:g} µs. All ranks of a node share "
    "its card. Up to {node} ranks the three are the same.",
    "{scheme}",
    "Each node reads its rows' features from a disk of its own, {read} MB/s (measured here, by shuffled runs of "
    "neighbours), every caption its image's.",
)

FLAT: Final = (
    "The reduction is *flat*, as MPI's own reduce-scatter of a long buffer is: every rank sends each other its share, and "
    "a card carries up to {node} times the buffer for the {node} ranks behind it."
)

BY_NODE: Final = "The reduction is *by nodes*: their ranks sum first, and a card carries at most twice the buffer."

EITHER: Final = """\
    Milliseconds of one reduction, should the ranks of a node sum first (*by nodes*) or every rank send to every other
    (*flat*). {otherwise}"""


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
        f"**{task.name}** pays {' and '.join(strong)} ranks. With {way} the batch grows with the ranks, and by itself "
        f"would go up to {_either(far[way, '10 Gbit/s'], far[way, '100 Gbit/s'])}; but an epoch has "
        f"{task.captions:,} captions, and to have {UPDATES} updates left in it no more than {most:,} ranks are of use, "
        f"so it is {_either(*weak)}. {max(RANKS):,} ranks would leave {task.captions / (WEAK * max(RANKS)):.0f} updates."
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
        f"build the network, and {few} took {number(startup[few])} s, MPI's start included."
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
            f"\\* More ranks than the {found[0]['cores']} cores: they wait for each other's turn on a core, which says "
            "nothing of ranks that have one each."
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
        f"Sent during the backward pass (`RNNKIT_OVERLAP=1`), updates by two ranks are {min(gains):+.0%} to "
        f"{max(gains):+.0%} faster: {_paid(max(gains))}"
    )
    several = [s for s in hosts["steps"] if s["ranks"] > 2]
    for s in several:
        flat, by_node = (projection.sent(s["ranks"], way) for way in (False, True))
        like = "by nodes" if projection.sums_by_node(results) else "flat"
        yield paragraph(
            f"With {s['ranks'] // 2} ranks on each host, a reduction in which they sum first sends {by_node:g} times the "
            f"buffer, and a flat one, in which every rank sends to every other, {flat:g} times: what was sent, "
            f"{number(s['sent'])}, is that of the one *{like}*, and so the projections are."
        )


def _paid(gain: float) -> str:
    """Whether it pays to send during the backward pass."""
    if gain > 0.02:
        return "it pays here."
    return (
        "it does not pay here, since MPI's own work moves the data, on the cores that compute. So it is left to be asked "
        "for, where a network card moves data by itself."
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
        f"From {low:,} to {high:,} elements that are not in the processor's caches, {' and '.join(words)}. Rows of {reading['row_bytes'] >> 10} KB of a file of "
        f"{_bytes(reading['file_bytes'])} that is not in the system's cache ({reading['filesystem']}) come at "
        f"{number(rates['in order'] / 1e6)} MB/s in order, {number(rates['runs'] / 1e6)} MB/s by shuffled runs of a "
        f"megabyte, and {number(rates['rows'] / 1e6)} MB/s one by one."
    )


def _nothing(results: Results) -> Iterator[str]:
    yield "## Projection"
    yield paragraph(
        "None: it wants the reductions between ranks, which were not measured here: "
        f"{results['not_measured']['reductions']}."
    )


def _projections(results: Results, found: Model) -> Iterator[str]:
    yield "## Does the model tell the truth?"
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
        f"The largest error is {worst.error:+.0%} ({worst.name}, N = {worst.batch}). A projection to many ranks cannot be "
        "better than that, and is worse by whatever its assumptions are off."
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
        f"Were it *{'by nodes' if other.by_node else 'flat'}*, {way} would pay with {' and with '.join(parts)} ranks, "
        "updates left or not."
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
        f"The batch: {WEAK} rows a rank are {WEAK * most:,} of {most:,}, and {COCO.name} then has {few:.1f} updates an "
        f"epoch, {CC12M.name} {CC12M.captions / (WEAK * most):.0f}. How large a batch still learns as much from a caption is "
        "not measured here; more epochs or a larger learning rate are a price that the efficiencies above leave out.",
        f"Captions: every rank holds all of them, {CC12M.name}'s {CC12M.captions:,} x {TOKENS} int32 being {each:,.0f} MB "
        f"of each rank and {NODE * each / 1e3:,.0f} GB of a node with {NODE}.",
        f"Features: {CC12M.name}'s are {CC12M.captions * row / 1e9:,.0f} GB. A rank reads its rows alone, in shuffled blocks "
        "of a file, and no network carries them; each node needs the file within reach.",
        f"Parameters: each rank has all {cc.parameters:,} of {CC12M.name}'s network, their gradient and the buffers, and "
        "its share of the optimizer's memory.",
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
        "against ranks with the same number of tokens and the longest row, the slowest one's gradient takes "
        + ", ".join(parts)
        + " (COCO, simulated)."
    )


def write(results: Results, folder: Path) -> None:
    """Write the page and the plot to a folder."""
    from benchmarks.scaling import plot  # wants matplotlib, and the page does not

    (folder / PAGE).write_text(text(results), encoding="utf-8")
    plot.write(results, folder / PLOT)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), ROOT / "docs")
