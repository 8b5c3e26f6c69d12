"""The best captions of a beam, in a loop of ONNX: the decoder `beam` as a graph."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from rnnkit.captioning.exporting.onnx.loop import LIVE, Carried, Loop
from rnnkit.captioning.exporting.onnx.network import Traced
from rnnkit.captioning.exporting.onnx.repeats import block_repeats
from rnnkit.captioning.exporting.onnx.scope import Scope


@attrs.frozen
class Search:
    """How a beam searches, as the options of the decoder `beam` say.

    Attributes:
        width: K.
        length_penalty: power of the length that log probabilities are divided by.
        no_repeat: so many words in a row never come twice.
    """

    width: int
    length_penalty: float = 0.0
    no_repeat: int | None = None


def put_beam(
    scope: Scope, network: Traced, memory: Mapping[str, str], rows: str, search: Search
) -> dict[str, str]:
    """Put the search into a scope.

    Args:
        scope: the graph.
        network: whose step is taken.
        memory: the names of what it remembers before the first word, N rows.
        rows: the name of N (1,).
        search: its options.

    Returns:
        The names of `tokens` (N, K, L), `token_log_probs` (N, K, L) and `log_probs` (N, K), best first.
    """
    words, limit, K = network.model.vocabulary, network.model.limit, search.width
    s, J = scope, min(K, len(network.model.vocabulary))
    all_rows = s.op("Mul", rows, s.const(np.array([K])))
    beams = s.op("Concat", rows, s.const(np.array([K])), axis=0)
    empty = s.op("Concat", beams, s.const(np.array([0])), axis=0)
    first_of = s.op("Range", s.const(0), s.op("Squeeze", all_rows), s.const(K))
    first_of = s.op("Unsqueeze", first_of, s.const(np.array([1])))  # (N, 1), rows in N K
    each = s.op("Reshape", s.op("Expand", first_of, beams), s.const(np.array([-1])))
    of_row = s.op("Div", each, s.const(K))
    alone = np.arange(K) == 0
    nothing = s.op("Expand", s.const(-np.inf, "d"), beams)
    no_words = s.op("Expand", s.const(words.end), empty)
    no_gains = s.op("Expand", s.const(0.0), empty)
    states = {name: Carried("f", s.op("Gather", x, of_row, axis=0)) for name, x in memory.items()}
    loop = Loop(
        scope,
        {
            "last": Carried("i", s.op("Expand", s.const(words.start), all_rows)),
            LIVE: Carried("b", s.op("Expand", s.const(alone), beams)),
            "total": Carried(
                "d", s.op("Expand", s.const(np.where(alone, 0.0, -np.inf), "d"), beams)
            ),
            "tokens": Carried("i", no_words),
            "gains": Carried("f", no_gains),
            "best_total": Carried("d", nothing),
            "best_rank": Carried("d", nothing),
            "best_tokens": Carried("i", no_words),
            "best_gains": Carried("f", no_gains),
            **states,
        },
    )
    b, before = loop.body, loop.before
    flat, one = b.const(np.array([-1])), b.const(np.array([1]))

    def spread(x: str) -> str:
        """(N, K) -> (N, K, 1)."""
        return b.op("Unsqueeze", x, b.const(np.array([2])))

    def of_parents(x: str) -> str:
        """(N, K, t) of the captions that go on, from those before."""
        shape = b.op("Concat", all_rows, b.op("Shape", x, start=2), axis=0)
        found = b.op("Gather", b.op("Reshape", x, shape, allowzero=1), parent_rows, axis=0)
        return b.op("Reshape", found, b.op("Shape", x), allowzero=1)

    after = network.put_step(b, before["last"], {name: before[name] for name in states}, all_rows)
    log_probs = after.pop("log_probs")
    if search.no_repeat:
        shape = b.op("Concat", all_rows, b.op("Shape", before["tokens"], start=2), axis=0)
        written = b.op("Reshape", before["tokens"], shape, allowzero=1)
        log_probs = block_repeats(b, log_probs, written, search.no_repeat)

    # The J likeliest words of each caption, and of all of these the K best continuations of each image.
    wide = b.op("Concat", beams, b.const(np.array([J])), axis=0)
    gains, nexts = (
        b.op("Reshape", x, wide)
        for x in b.ops("TopK", [log_probs, b.const(np.array([J]))], 2, axis=1)
    )
    live, all_ends = spread(before[LIVE]), b.const(words.end)
    totals = b.op("Add", spread(before["total"]), b.cast(gains, "f", "d"))
    totals = b.op("Where", live, totals, b.const(-np.inf, "d"))
    nexts = b.op("Where", live, nexts, all_ends)
    side_by_side = b.op("Concat", rows, b.const(np.array([K * J])), axis=0)
    total, chosen = b.ops(
        "TopK", [b.op("Reshape", totals, side_by_side), b.const(np.array([K]))], 2, axis=1
    )
    word, gain = (
        b.op("GatherElements", b.op("Reshape", x, side_by_side), chosen, axis=1)
        for x in (nexts, gains)
    )
    parents = b.op("Add", b.op("Div", chosen, b.const(J)), first_of)
    parent_rows = b.op("Reshape", parents, flat)
    tokens = b.op("Concat", of_parents(before["tokens"]), spread(word), axis=2)
    gained = b.op("Concat", of_parents(before["gains"]), spread(gain), axis=2)

    # What ends here is set aside if it is one of the K best that have ended.
    lengths = np.arange(1, limit + 1) ** search.length_penalty
    at_limit = b.op("Equal", loop.step, b.const(limit - 1))
    done = b.op("Or", b.op("Equal", word, all_ends), at_limit)
    length = b.op("Gather", b.const(lengths, "d"), loop.step)
    rank = b.op("Where", done, b.op("Div", total, length), b.const(-np.inf, "d"))
    best_rank, order = b.ops(
        "TopK",
        [b.op("Concat", before["best_rank"], rank, axis=1), b.const(np.array([K]))],
        2,
        axis=1,
    )
    best_total = b.op("Concat", before["best_total"], total, axis=1)

    def best(before: str, now: str, fill: str) -> str:
        """(N, K, t + 1) of the best, from (N, K, t) of those before and (N, K, t + 1)."""
        column = b.op("Expand", fill, b.op("Concat", beams, one, axis=0))
        both = b.op("Concat", b.op("Concat", before, column, axis=2), now, axis=1)
        index = b.op("Expand", spread(order), b.op("Shape", now))
        return b.op("GatherElements", both, index, axis=1)

    hope = b.op("Div", total, b.const(float(limit) ** search.length_penalty, "d"))
    worst = b.op("Slice", best_rank, b.const(np.array([K - 1])), b.const(np.array([K])), one)
    goes_on = b.op("And", b.op("Not", done), b.op("Greater", hope, worst))
    after = {name: b.op("Gather", after[name], parent_rows, axis=0) for name in states}
    after |= {
        "last": b.op("Reshape", word, flat),
        LIVE: goes_on,
        "total": total,
        "tokens": tokens,
        "gains": gained,
        "best_total": b.op("GatherElements", best_total, order, axis=1),
        "best_rank": best_rank,
        "best_tokens": best(before["best_tokens"], tokens, all_ends),
        "best_gains": best(before["best_gains"], gained, b.const(0.0)),
    }
    last = loop.run(after, limit)
    none = s.op("Equal", last["best_total"], s.const(-np.inf, "d"))
    none = s.op("Unsqueeze", none, s.const(np.array([2])))
    return {
        "tokens": s.op("Where", none, s.const(words.end), last["best_tokens"]),
        "token_log_probs": s.op("Where", none, s.const(0.0), last["best_gains"]),
        "log_probs": s.cast(last["best_total"], "d", "f"),
    }
