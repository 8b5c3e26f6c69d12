"""Line charts as the coordinates of an SVG: the template draws them in the colours of the page."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from rnnkit.describing.report.numbers import count, tick

Point: TypeAlias = tuple[float, float]
Style: TypeAlias = Literal["train", "val", "faint", "plain"]

SPOTS: Final = 40
"""Places of a chart that say their numbers when they are pointed at."""

BINS: Final = 300
"""Points of a line at most; more would be closer together than the line is wide."""


@attrs.frozen
class Series:
    """One line.

    Attributes:
        label: in the legend, and before its values.
        style: a line of training, of validation, a faint one behind them, or the only one.
        points: (x, y), in the order of x; those that are not finite are left out.
        dots: whether each point is a dot as well.
    """

    label: str
    style: Style
    points: tuple[Point, ...]
    dots: bool = False

    @property
    def finite(self) -> tuple[Point, ...]:
        """The points that can be drawn."""
        return tuple(p for p in self.points if math.isfinite(p[1]))


@attrs.frozen
class Tick:
    """A mark on an axis: its place in the SVG's units, and its text."""

    at: float
    text: str


@attrs.frozen
class Line:
    """A drawn series: the `d` of an SVG path, and the centres of its dots."""

    label: str
    style: Style
    path: str
    dots: tuple[Point, ...]


@attrs.frozen
class Spot:
    """A stripe of the chart that says its numbers when it is pointed at.

    Attributes:
        left: edge of the stripe; it is `width` wide.
        at: x of the values.
        dots: of each series there, with its style.
        text: the values.
    """

    left: float
    width: float
    at: float
    dots: tuple[tuple[Style, Point], ...]
    text: str


@attrs.frozen
class Chart:
    """A chart in SVG's units: x to the right from 0 to `width`, y down from 0 to `height`.

    Attributes:
        left, right, top, bottom: of the field in which the lines are.
        second: marks of the axis on the right, if there is one.
        rings: around points that stand out.
        rule: y of a level with its text, if there is one.
        summary: the chart in a sentence, for those who cannot see it.
    """

    title: str
    note: str
    summary: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    second: tuple[Tick, ...]
    second_title: str
    lines: tuple[Line, ...]
    rings: tuple[Point, ...]
    rule: Tick | None
    spots: tuple[Spot, ...]

    @property
    def large(self) -> bool:
        """Whether it is a chart to look at first."""
        return self.height > 300


def draw(
    title: str,
    series: Sequence[Series],
    *,
    note: str = "",
    large: bool = False,
    from_zero: bool = False,
    log: bool = False,
    second: tuple[str, Callable[[float], str]] | None = None,
    ring: Point | None = None,
    rule: tuple[str, float] | None = None,
    describe: Callable[[float], str] = lambda x: f"update {count(x)}",
) -> Chart | None:
    """Lay a chart out.

    The field goes from the least to the greatest value; but in a large chart, what a line is in the first tenth
    of its way does not count: a loss falls from so high that all else would be flat. It leaves the field there.

    Args:
        title: of the chart.
        series: its lines, those behind first.
        note: what it shows, in a sentence.
        large: a chart to look at first.
        from_zero: y begins at 0.
        log: y is logarithmic; values that are not positive are left out.
        second: title of an axis on the right, and its text for a value of y.
        ring: a point that stands out.
        rule: text and y of a level.
        describe: a value of x, in words.

    Returns:
        The chart, or None if there is no point to draw.
    """
    kept = [attrs.evolve(s, points=tuple(_drawable(s.finite, log))) for s in series]
    kept = [s for s in kept if s.points]
    if not kept:
        return None
    width, height = (560.0, 384.0) if large else (420.0, 176.0)
    left, right, top, bottom = 58.0, width - (58.0 if second else 14.0), 30.0, height - 34.0
    last = max(s.points[-1][0] for s in kept)
    to_x = _scale(0.0 if last else -1.0, last or 1.0, left, right)
    low, high = _range(
        [s for s in kept if s.style != "faint"] or kept, last / 10 if large else -1.0
    )
    if from_zero:
        low, high = 0.0, high * 1.08
    elif log:
        low, high = low / 1.15, high * 1.15
    else:
        room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        low, high = low - room, high + room
    warp: Callable[[float], float] = math.log10 if log else float
    to_height = _scale(warp(low), warp(high), bottom, top)

    def to_y(y: float) -> float:
        return to_height(warp(y))

    ys = _ticks(low, high, log, 8 if large else 5)
    return Chart(
        title=title,
        note=note,
        summary=f"{title}: {'; '.join(_in_words(s) for s in kept if s.style != 'faint')}.",
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_ticks=tuple(Tick(to_x(x), tick(x)) for x in _ticks(0.0, last, False) if x == int(x)),
        y_ticks=tuple(Tick(to_y(y), tick(y)) for y in ys),
        second=tuple(Tick(to_y(y), second[1](y)) for y in ys) if second else (),
        second_title=second[0] if second else "",
        lines=tuple(
            Line(
                s.label,
                s.style,
                _path([(to_x(x), to_y(y)) for x, y in thinned(s.points)]),
                tuple((to_x(x), to_y(y)) for x, y in s.points) if s.dots else (),
            )
            for s in kept
        ),
        rings=((to_x(ring[0]), to_y(ring[1])),) if ring and low <= ring[1] <= high else (),
        rule=Tick(to_y(rule[1]), rule[0]) if rule and low <= rule[1] <= high else None,
        spots=tuple(_spots([s for s in kept if s.style != "faint"], to_x, to_y, describe)),
    )


def smoothed(points: Sequence[Point], window: int) -> tuple[Point, ...]:
    """The mean of each y with up to `window - 1` before it."""
    means, total = [], 0.0
    for i, (x, y) in enumerate(points):
        total += y
        if i >= window:
            total -= points[i - window][1]
        means.append((x, total / min(i + 1, window)))
    return tuple(means)


def thinned(points: Sequence[Point], most: int = BINS) -> list[Point]:
    """Neighbours in groups of equal size, each the mean of its own, so that there are `most` points at most."""
    group = -(-len(points) // most)
    if group <= 1:
        return list(points)
    groups = [points[i : i + group] for i in range(0, len(points), group)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _drawable(points: Sequence[Point], log: bool) -> Iterator[Point]:
    return (p for p in points if not log or p[1] > 0)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """The line through (low, start) and (high, end)."""
    return lambda v: round(start + (v - low) / ((high - low) or 1.0) * (end - start), 2)


def _range(series: Sequence[Series], begins: float) -> tuple[float, float]:
    ys = [y for s in series for x, y in s.points if x > begins] or [
        y for s in series for _, y in s.points
    ]
    return min(ys), max(ys)


def _ticks(low: float, high: float, log: bool, most: int = 5) -> list[float]:
    """Round numbers from low to high, some `most` of them."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    found: list[float] = []
    if log:
        for parts in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
            ticks = LogLocator(subs=parts).tick_values(low, high)
            found = [float(v) for v in ticks if low <= v <= high]
            if len(found) >= 3:
                return found
    if len(found) < 2:
        ticks = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        found = [float(f"{v:.12g}") for v in ticks if low <= v <= high]
    return found


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _in_words(s: Series) -> str:
    first, last = s.points[0], s.points[-1]
    begins = f"{s.label} {tick(float(f'{first[1]:.3g}'))} at update {count(first[0])}"
    ends = f"{tick(float(f'{last[1]:.3g}'))} at update {count(last[0])}"
    return f"{begins}, {ends}" if len(s.points) > 1 else begins


def _spots(
    series: Sequence[Series],
    to_x: Callable[[float], float],
    to_y: Callable[[float], float],
    describe: Callable[[float], str],
) -> Iterator[Spot]:
    if not series:
        return
    most = max(series, key=lambda s: len(s.points)).points
    xs = [
        most[i * (len(most) - 1) // max(1, min(SPOTS, len(most)) - 1)][0]
        for i in range(min(SPOTS, len(most)))
    ]
    centres = [to_x(x) for x in xs]
    edges = [
        centres[0] - 6,
        *((a + b) / 2 for a, b in itertools.pairwise(centres)),
        centres[-1] + 6,
    ]
    for x, at, left, right in zip(xs, centres, edges, edges[1:], strict=False):
        near = [(s, _nearest(s.points, x)) for s in series]
        values = " · ".join(_value(s, point, x) for s, point in near)
        yield Spot(
            left=round(left, 2),
            width=round(right - left, 2),
            at=at,
            dots=tuple((s.style, (to_x(px), to_y(py))) for s, (px, py) in near),
            text=f"{describe(x)}: {values}",
        )


def _value(s: Series, point: Point, x: float) -> str:
    """The value of a series near x; and where it is, if it has none there."""
    text = f"{s.label} {tick(float(f'{point[1]:.4g}'))}".strip()
    return text if point[0] == x else f"{text} (at {count(point[0])})"


def _nearest(points: Sequence[Point], x: float) -> Point:
    i = bisect.bisect_left(points, (x, -math.inf))
    return min(points[max(0, i - 1) : i + 1] or points[-1:], key=lambda p: abs(p[0] - x))
