"""The likeliest word, word by word, in a loop of ONNX: `rnnkit.kinds.word_by_word` as a graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnkit.captioning.exporting.onnx.loop import LIVE, Carried, Loop
from rnnkit.captioning.exporting.onnx.network import Traced
from rnnkit.captioning.exporting.onnx.repeats import block_repeats
from rnnkit.captioning.exporting.onnx.scope import Scope


def put_greedy(
    scope: Scope, network: Traced, memory: Mapping[str, str], rows: str, no_repeat: int | None
) -> dict[str, str]:
    """Put the search into a scope.

    Args:
        scope: the graph.
        network: whose step is taken.
        memory: the names of what it remembers before the first word.
        rows: the name of N (1,).
        no_repeat: as the decoder greedy has it.

    Returns:
        The names of `tokens` (N, L), `token_log_probs` (N, L) and `log_probs` (N,).
    """
    words, limit = network.model.vocabulary, network.model.limit
    one = scope.const(np.array([1]))
    empty = scope.op("Concat", rows, scope.const(np.array([0])), axis=0)
    states = {name: Carried("f", first) for name, first in memory.items()}
    loop = Loop(
        scope,
        {
            "last": Carried("i", scope.op("Expand", scope.const(words.start), rows)),
            LIVE: Carried("b", scope.op("Expand", scope.const(True), rows)),
            "total": Carried("d", scope.op("Expand", scope.const(0.0, "d"), rows)),
            "tokens": Carried("i", scope.op("Expand", scope.const(words.end), empty)),
            "gains": Carried("f", scope.op("Expand", scope.const(0.0), empty)),
            **states,
        },
    )
    body, before = loop.body, loop.before
    after = network.put_step(body, before["last"], {name: before[name] for name in states}, rows)
    log_probs = after.pop("log_probs")
    if no_repeat:
        log_probs = block_repeats(body, log_probs, before["tokens"], no_repeat)
    end, live = body.const(words.end), before[LIVE]
    word = body.op("Where", live, body.op("ArgMax", log_probs, axis=1, keepdims=0), end)
    gained = body.op("ReduceMax", log_probs, one, keepdims=0)
    gained = body.op("Where", live, gained, body.const(0.0))
    can = body.op("Greater", gained, body.const(-np.inf))
    goes_on = body.op("And", body.op("Not", body.op("Equal", word, end)), can)

    def behind(name: str, x: str) -> str:
        return body.op("Concat", before[name], body.op("Unsqueeze", x, one), axis=1)

    after |= {
        "last": word,
        LIVE: body.op("And", live, goes_on),
        "total": body.op("Add", before["total"], body.cast(gained, "f", "d")),
        "tokens": behind("tokens", word),
        "gains": behind("gains", gained),
    }
    last = loop.run(after, limit)
    # A caption that cannot go on is none.
    none = scope.op("Unsqueeze", scope.op("Equal", last["total"], scope.const(-np.inf, "d")), one)
    return {
        "tokens": scope.op("Where", none, scope.const(words.end), last["tokens"]),
        "token_log_probs": last["gains"],
        "log_probs": scope.cast(last["total"], "d", "f"),
    }
