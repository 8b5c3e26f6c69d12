"""The best captions of a beam, in a loop of ONNX: the decoder `beam` as a graph."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from rnnkit.captioning.exporting.onnx.loop import LIVE, Carried, Loop
from rnnkit.captioning.exporting.onnx.network import Traced
from rnnkit.captioning.exporting.onnx.repeats import block_repeats
from rnnkit.captioning.exporting.onnx.scope import Scope
from rnnkit.captioning.exporting.search import Search


@attrs.frozen
class _Shapes:
    """Names of sizes: N (1,), N K (1,), (N, K); and the first of each image's K rows (N, 1)."""

    rows: str
    all_rows: str
    beams: str
    first_row: str

    @classmethod
    def of(cls, scope: Scope, rows: str, K: int) -> _Shapes:
        wide = scope.const(np.array([K]))
        all_rows = scope.op("Mul", rows, wide)
        starts = scope.op("Range", scope.const(0), scope.op("Squeeze", all_rows), scope.const(K))
        column = scope.op("Unsqueeze", starts, scope.const(np.array([1])))
        return cls(rows, all_rows, scope.op("Concat", rows, wide, axis=0), column)


def put_beam(
    scope: Scope, network: Traced, memory: Mapping[str, str], rows: str, search: Search
) -> dict[str, str]:
    """Put the search into a scope.

    Args:
        scope: the graph.
        network: whose step is taken.
        memory: the names of what it remembers before the first word, N rows.
        rows: the name of N (1,).
        search: how.

    Returns:
        The names of `tokens` (N, K, L), `token_log_probs` (N, K, L) and `log_probs` (N, K), best first.
    """
    assert search.width is not None
    shapes = _Shapes.of(scope, rows, search.width)
    loop = Loop(scope, _first(scope, network, memory, shapes, search.width))
    body, before = loop.body, loop.before
    states = {name: before[name] for name in memory}
    after = network.put_step(body, before["last"], states, shapes.all_rows)
    log_probs = after.pop("log_probs")
    if search.no_repeat:
        written = _as_rows(body, before["tokens"], shapes)
        log_probs = block_repeats(body, log_probs, written, search.no_repeat)
    going = _continuations(body, log_probs, before, shapes, network, search.width)
    after = {name: body.op("Gather", after[name], going.parent_rows, axis=0) for name in memory} | {
        "total": going.total,
        "tokens": going.tokens,
        "gains": going.gains,
    }
    after |= {"last": body.op("Reshape", going.word, body.const(np.array([-1])))}
    after |= _set_aside(loop, going, shapes, network, search)
    last = loop.run(after, network.model.limit)
    none = scope.op("Equal", last["best_total"], scope.const(-np.inf, "d"))
    none = scope.op("Unsqueeze", none, scope.const(np.array([2])))
    end = scope.const(network.model.vocabulary.end)
    return {
        "tokens": scope.op("Where", none, end, last["best_tokens"]),
        "token_log_probs": scope.op("Where", none, scope.const(0.0), last["best_gains"]),
        "log_probs": scope.cast(last["best_total"], "d", "f"),
    }


def _first(
    scope: Scope, network: Traced, memory: Mapping[str, str], shapes: _Shapes, K: int
) -> dict[str, Carried]:
    """What the loop begins with: of each image, one live caption of no words, and K - 1 that are none."""
    s, words, alone = scope, network.model.vocabulary, np.arange(K) == 0
    empty = s.op("Concat", shapes.beams, s.const(np.array([0])), axis=0)
    no_words = Carried("i", s.op("Expand", s.const(words.end), empty))
    no_gains = Carried("f", s.op("Expand", s.const(0.0), empty))
    nothing = Carried("d", s.op("Expand", s.const(-np.inf, "d"), shapes.beams))
    every = s.op("Reshape", s.op("Expand", shapes.first_row, shapes.beams), s.const(np.array([-1])))
    image = s.op("Div", every, s.const(K))
    totals = s.op("Expand", s.const(np.where(alone, 0.0, -np.inf), "d"), shapes.beams)
    return {
        "last": Carried("i", s.op("Expand", s.const(words.start), shapes.all_rows)),
        LIVE: Carried("b", s.op("Expand", s.const(alone), shapes.beams)),
        "total": Carried("d", totals),
        "tokens": no_words,
        "gains": no_gains,
        "best_total": nothing,
        "best_rank": nothing,
        "best_tokens": no_words,
        "best_gains": no_gains,
        **{name: Carried("f", s.op("Gather", x, image, axis=0)) for name, x in memory.items()},
    }


@attrs.frozen
class _Going:
    """The K best continuations of each image: names of (N, K), and (N, K, t + 1) of tokens and gains."""

    word: str
    total: str
    tokens: str
    gains: str
    parent_rows: str


def _continuations(
    b: Scope, log_probs: str, before: Mapping[str, str], shapes: _Shapes, network: Traced, K: int
) -> _Going:
    """The J likeliest words of each caption, and of all of these the K best of each image."""
    J = min(K, len(network.model.vocabulary))
    wide = b.op("Concat", shapes.beams, b.const(np.array([J])), axis=0)
    flat = b.op("Concat", shapes.rows, b.const(np.array([K * J])), axis=0)
    best = b.ops("TopK", [log_probs, b.const(np.array([J]))], 2, axis=1)
    gains, nexts = (b.op("Reshape", x, wide, allowzero=1) for x in best)
    live = _spread(b, before[LIVE])
    totals = b.op("Add", _spread(b, before["total"]), b.cast(gains, "f", "d"))
    totals = b.op("Where", live, totals, b.const(-np.inf, "d"))
    nexts = b.op("Where", live, nexts, b.const(network.model.vocabulary.end))
    totals = b.op("Reshape", totals, flat, allowzero=1)
    total, chosen = b.ops("TopK", [totals, b.const(np.array([K]))], 2, axis=1)
    word, gain = (
        b.op("GatherElements", b.op("Reshape", x, flat, allowzero=1), chosen, axis=1)
        for x in (nexts, gains)
    )
    parents = b.op("Add", b.op("Div", chosen, b.const(J)), shapes.first_row)
    parent_rows = b.op("Reshape", parents, b.const(np.array([-1])))

    def behind(name: str, x: str) -> str:
        """What the parents have, and one more."""
        found = b.op("Gather", _as_rows(b, before[name], shapes), parent_rows, axis=0)
        theirs = b.op("Reshape", found, b.op("Shape", before[name]), allowzero=1)
        return b.op("Concat", theirs, _spread(b, x), axis=2)

    return _Going(word, total, behind("tokens", word), behind("gains", gain), parent_rows)


def _set_aside(
    loop: Loop, going: _Going, shapes: _Shapes, network: Traced, search: Search
) -> dict[str, str]:
    """The K best that have ended, from those before and those that end here; and which of the others go on."""
    b, before, limit, K = loop.body, loop.before, network.model.limit, search.width
    end, one = b.const(network.model.vocabulary.end), b.const(np.array([1]))
    at_limit = b.op("Equal", loop.step, b.const(limit - 1))
    done = b.op("Or", b.op("Equal", going.word, end), at_limit)
    # Each length to the power, as Python computes it.
    lengths = [n**search.length_penalty for n in range(1, limit + 1)]
    length = b.op("Gather", b.const(np.array(lengths), "d"), loop.step)
    rank = b.op("Where", done, b.op("Div", going.total, length), b.const(-np.inf, "d"))
    ranks = b.op("Concat", before["best_rank"], rank, axis=1)
    best_rank, order = b.ops("TopK", [ranks, b.const(np.array([K]))], 2, axis=1)

    def best(name: str, now: str, fill: str) -> str:
        """Rows of those before, as long as those of now, and of now."""
        column = b.op("Expand", fill, b.op("Concat", shapes.beams, one, axis=0))
        longer = b.op("Concat", before[name], column, axis=2)
        index = b.op("Expand", _spread(b, order), b.op("Shape", now))
        return b.op("GatherElements", b.op("Concat", longer, now, axis=1), index, axis=1)

    # Log probabilities only fall, and are divided by no more than that of the limit.
    hope = b.op("Div", going.total, b.const(lengths[-1], "d"))
    worst = b.op("Slice", best_rank, b.const(np.array([-1])), b.const(np.array([K])), one)
    totals = b.op("Concat", before["best_total"], going.total, axis=1)
    return {
        LIVE: b.op("And", b.op("Not", done), b.op("Greater", hope, worst)),
        "best_rank": best_rank,
        "best_total": b.op("GatherElements", totals, order, axis=1),
        "best_tokens": best("best_tokens", going.tokens, end),
        "best_gains": best("best_gains", going.gains, b.const(0.0)),
    }


def _spread(b: Scope, x: str) -> str:
    """(N, K) -> (N, K, 1)."""
    return b.op("Unsqueeze", x, b.const(np.array([2])))


def _as_rows(b: Scope, x: str, shapes: _Shapes) -> str:
    """(N, K, t) -> (N K, t)."""
    shape = b.op("Concat", shapes.all_rows, b.op("Shape", x, start=2), axis=0)
    return b.op("Reshape", x, shape, allowzero=1)
