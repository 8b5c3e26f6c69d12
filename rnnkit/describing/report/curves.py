"""The curves of a run: how sure it became, its learning rate, and the norm of its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rnnkit.describing.report.charts import Chart, Point, Series, draw, smoothed
from rnnkit.describing.report.numbers import count, tick
from rnnkit.metrics import TITLES
from rnnkit.registry.labels import name_of
from rnnkit.spec import Spec
from rnnkit.training import History, Record
from rnnkit.training.history import Update

R = TypeVar("R", Record, Update)


def best_record(history: History) -> Record | None:
    """The evaluation whose model is `best.h5`; the last if no evaluation was judged."""
    return next((r for r in reversed(history.records) if r.best), None) or next(
        reversed(history.records), None
    )


def curves(history: History, spec: Spec) -> list[Chart]:
    """Every chart that there are numbers for; the first is the one to look at first."""
    return [chart for chart in _charts(history, spec) if chart is not None]


def _charts(history: History, spec: Spec) -> Iterator[Chart | None]:
    records, updates, best = history.records, history.updates, best_record(history)
    yield draw(
        "Nats per token",
        _nats(history),
        note="How surprised the network is by each next word that a person wrote; lower is better. "
        "On train it is measured while the network learns, with any dropout.",
        large=True,
        second=("perplexity", lambda nats: tick(float(f"{math.exp(min(nats, 700)):.3g}"))),
        ring=(best.step, best.val_nats) if best and best.best and best.val_nats else None,
    )
    metric = spec.train.metric
    if metric != "nats":
        values = _points(records, lambda r: r.val_metric)
        yield draw(
            f"{TITLES[metric]} on val",
            [Series("val", "val", values, dots=True)],
            note="The best model is chosen by this; higher is better.",
        )
    yield from _of_reward(history, spec)
    rate = getattr(spec.train.optimizer, "learning_rate", None)
    factor = 1.0 if rate is None else float(rate)
    yield draw(
        "Learning rate" if rate is not None else "Factor on the learning rate",
        [
            Series(
                "",
                "plain",
                tuple((float(u.step), factor * u.learning_rate_factor) for u in updates),
            )
        ],
        from_zero=True,
    )
    norms = tuple((float(u.step), u.gradient_norm) for u in updates)
    positive = [y for _, y in norms if y > 0]
    clip = spec.train.clip
    yield draw(
        "Norm of the gradient",
        [Series("", "plain", norms)],
        log=bool(positive) and max(positive) > 10 * min(positive),
        note=""
        if clip is None
        else f"A gradient with a larger norm than {tick(clip)} is scaled down to it.",
        rule=None if clip is None else (f"clip {tick(clip)}", clip),
    )


def _of_reward(history: History, spec: Spec) -> Iterator[Chart | None]:
    """What came of learning from a reward; empty charts for a run without one."""
    if spec.train.reward is None:
        return
    records = history.records
    yield draw(
        f"Reward of drawn captions: {name_of(spec.train.reward.reward)}",
        [Series("", "plain", _points(history.updates, lambda u: u.reward))],
        note="Of captions of train. It rises even where captions of val get worse.",
    )
    drawn, val = _points(records, lambda r: r.drawn_words), _points(records, lambda r: r.val_words)
    yield draw(
        "Words of a caption",
        [Series("drawn", "train", drawn, dots=True), Series("val", "val", val, dots=True)],
        note="Captions that shrink lose what they say.",
    )
    entropy = _points(records, lambda r: r.drawn_entropy)
    yield draw(
        "Entropy of the next word",
        [Series("drawn", "train", entropy, dots=True)],
        note="In nats, where captions are drawn. Near 0, all captions of an image are alike.",
        from_zero=True,
    )


def _points(rows: Iterable[R], value: Callable[[R], float | None]) -> tuple[Point, ...]:
    """Updates and values, where there is one."""
    return tuple((float(row.step), y) for row in rows if (y := value(row)) is not None)


def _nats(history: History) -> list[Series]:
    seen = tuple((float(u.step), u.nats) for u in history.updates)
    window = max(1, len(seen) // 40)
    lines = []
    if window > 1:
        lines.append(Series("train, every ten updates", "faint", seen))
    if seen:
        lines.append(Series("train", "train", smoothed(seen, window)))
    else:
        means = tuple((float(r.step), r.train_nats) for r in history.records)
        lines.append(Series("train", "train", means, dots=True))
    judged = _points(history.records, lambda r: r.val_nats)
    lines.append(Series("val", "val", judged, dots=len(judged) <= 40))
    return lines


def rows(history: History, spec: Spec) -> tuple[list[str], list[list[str]]]:
    """All evaluations as a table: its headings, and its rows."""
    metric = spec.train.metric
    named = [] if metric == "nats" else [TITLES[metric]]
    judged = ["reward"] if spec.train.reward is not None else []
    headings = [
        "epoch",
        "update",
        "train nats",
        "val nats",
        "perplexity",
        *named,
        *judged,
        "tokens/s",
        "s",
    ]
    table = []
    for r in history.records:
        val = (
            ["-", "-"]
            if r.val_nats is None or r.val_perplexity is None
            else [
                f"{r.val_nats:.3f}",
                f"{r.val_perplexity:.2f}",
            ]
        )
        score = [] if not named else ["-" if r.val_metric is None else f"{r.val_metric:.4f}"]
        worth = [] if not judged else ["-" if r.reward is None else f"{r.reward:.4f}"]
        table.append(
            [
                count(r.epoch),
                count(r.step),
                f"{r.train_nats:.3f}",
                *val,
                *score,
                *worth,
                count(r.tokens_per_second),
                f"{r.seconds:,.1f}",
            ]
        )
    return headings, table
