"""Cells of both tiers: one step with a cotangent on every slot, sequences, stacks, and causality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import attrs
import numpy as np

from rnnkit.kinds import (
    Array,
    Cell,
    GatedCell,
    GatedStep,
    RecurrentCell,
    Rng,
    State,
    named_arrays,
)
from rnnkit.kinds.arrays import with_values
from rnnkit.network import Packing, Recurrence, recurrent_layer
from rnnkit.network.derived import whole
from rnnkit.testing.cases.graphs import graph_of
from rnnkit.testing.cases.setting import PUSHED, SETTINGS, USUAL, Setting
from rnnkit.testing.cases.widths import Widths
from rnnkit.testing.constants import thresholds
from rnnkit.testing.example import Broken, Case, Example, Leaves, Traceable, copied
from rnnkit.testing.laws import calls_do_not_meet, close

STEPS = ((2, 3, 5), (1, 3, 1), (1, 3, 4), (3, 3, 1), (4, 5, 5), (18, 20, 17))
"""(N, D, H): one, few, many; D = H; even and odd."""
SEQUENCES = (
    ("T=1", (1, 1, 1, 1), (1,)),
    ("full", (2, 3, 5, 3), (3, 3)),
    ("ragged", (4, 4, 3, 4), (2, 4, 1, 4)),
    ("empty row", (3, 3, 2, 3), (3, 0, 1)),
    ("long", (2, 14, 3, 4), (14, 13)),
)
"""Name, (N, T, D, H), length of each row."""
CORE = ("step,N=2,H=5", "sequence,ragged")
GROWN = 1e3
"""A state beyond which a push ends."""
MOST = 130
"""The largest size for a threshold in the code to be tried beyond."""


def cell_cases(plugin: RecurrentCell[Any, Any, Any]) -> Iterator[Case]:
    """The cases of one cell."""
    widths = Widths(partial(_take_a_step, plugin))
    for case in _cases(plugin, widths):
        yield attrs.evolve(case, core=case.id in CORE or case.id == "large")


def _take_a_step(plugin: RecurrentCell[Any, Any, Any], h: int) -> None:
    rnn = recurrence(plugin, 3, h, np.random.default_rng(0))
    rnn.advance(rnn.project(np.zeros((1, 3))), rnn.start(np.zeros((1, plugin.start_width(h)))))


def _cases(plugin: RecurrentCell[Any, Any, Any], widths: Widths) -> Iterator[Case]:
    beyond = thresholds(type(plugin), max(STEPS[-1]), MOST)
    for n, d, wanted in (*STEPS, *([(beyond, beyond + 1, beyond)] if beyond else [])):
        h = widths.near(wanted)
        id = f"step,N={n},H={h}" if d == 3 else f"step,N={n},D={d},H={h}"
        yield Case(id, partial(_step, plugin=plugin, n=n, d=d, h=h))
    for name, setting in SETTINGS.items():
        h = widths.near(5)
        yield Case(name, partial(_step, plugin=plugin, n=4, d=3, h=h, setting=setting))
    pushed = partial(_step, plugin=plugin, n=4, d=3, h=widths.near(8), setting=PUSHED)
    yield Case("pushed", pushed)
    four = widths.near(4)
    yield Case("several steps", partial(_several_steps, plugin=plugin, n=2, h=four))
    long = thresholds(type(plugin), 14, MOST)
    longer = [("longer", (1, long, 1, 2), (long,))] if long else []
    for name, (n, t, d, h), lengths in (*SEQUENCES, *longer):
        sizes = (n, t, d, widths.near(h))
        yield Case(
            f"sequence,{name}",
            partial(sequence, plugins=[plugin], sizes=sizes, lengths=lengths),
        )
    one, two = partial(sequence, plugins=[plugin]), partial(sequence, plugins=[plugin, plugin])
    last = partial(one, sizes=(2, 4, 3, four), lengths=(4, 4), last_only=True)
    yield Case("sequence,last step only", last)
    yield Case("stacked", partial(two, sizes=(3, 3, 3, four), lengths=(3, 1, 2)))


def recurrence(
    plugin: RecurrentCell[Any, Any, Any], d: int, h: int, rng: Rng, setting: Setting = USUAL
) -> Recurrence[Any, Any, Any]:
    """A recurrence over a cell, its parameters stirred."""
    made = recurrent_layer(plugin, d, h, rng)
    return made.with_params(setting.stirred(made.params, rng))


def _reachable(
    rnn: Recurrence[Any, Any, Any], n: int, d: int, width: int, rng: Rng, setting: Setting
) -> State:
    """A state that a sequence can lead to: slots may have a domain of their own."""
    s: State = rnn.start(min(setting.inputs, 1.0) * rng.standard_normal((n, width)))
    x = setting.inputs * rng.standard_normal((n, d))
    for _ in range(setting.push or 2):
        if not setting.push:
            x = setting.inputs * rng.standard_normal((n, d))
        before, s = s, rnn.advance(rnn.project(x), s)
        for (name, a), (_, old) in zip(named_arrays(s), named_arrays(before), strict=True):
            if np.shape(a) != np.shape(old):
                raise Broken(
                    "shapes",
                    f"slot {name!r} has shape {np.shape(old)} before a step and {np.shape(a)} after it",
                )
        if any(np.max(np.abs(a), initial=0.0) > GROWN for _, a in named_arrays(s)):
            return before
    return s


def _as_state(s: State, leaves: Leaves) -> Any:
    return with_values(s, leaves, "s.")


def _step(
    rng: Rng,
    plugin: RecurrentCell[Any, Any, Any],
    n: int,
    h: int,
    d: int = 3,
    setting: Setting = USUAL,
) -> Example:
    """One step, with a cotangent on every slot of the next state."""
    written, cls, plugin = plugin, type(plugin), whole(plugin)
    step = _gated_step if isinstance(plugin, GatedCell) else _free_step
    rnn = recurrence(plugin, d, h, rng, setting)
    s = _reachable(rnn, n, d, plugin.start_width(h), rng, setting)
    made = step(rng, plugin, rnn, s, n, d, h, setting)
    laws = (*made.laws, calls_do_not_meet(cls)) if setting is USUAL and h > 1 else made.laws
    single: Literal["types", "compare"] = "types" if setting.extreme else "compare"
    return attrs.evolve(
        made,
        laws=laws,
        single=single,
        daring=setting.daring,
        traceable=Traceable(
            partial(graph_of, written, d, h),
            called={f"s.{name}": f"ds.{name}" for name, _ in named_arrays(s)},
            letters={"N": "len(s.h)", "D": "D", "H": "H"},
            function=getattr(written, "step", None),
        ),
    )


def _several_steps(rng: Rng, plugin: RecurrentCell[Any, Any, Any], n: int, h: int) -> Example:
    """Steps on the same inputs, with cotangents on their outputs only, so many that every slot can reach one.

    A slot that no output ever depends on has no gradient here, while in one step it may have its own
    cotangent. That zh is held fixed hides no other slot than h: it comes from h alone.
    """
    one = _step(rng, plugin, n, h)
    slots = [name for name in one.leaves if name.startswith("s.")]
    first = {name: f"first {name}" for name in slots}
    count = max(3, len(slots) + 1)

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        now = {name: at[first.get(name, name)] for name in one.leaves}
        outputs, caches = {}, []
        for t in range(1, count + 1):
            after, cache = one.forward(copied(now))
            now |= after
            outputs[f"h{t}"] = after["s.h"]
            caches.append(cache)
        return outputs, caches

    def backward(at: Leaves, cotangents: Leaves, caches: Any) -> Leaves:
        given = {name: at[first.get(name, name)] for name in one.leaves}
        ds = {name: np.zeros_like(given[name]) for name in slots}
        total = {name: np.zeros_like(a) for name, a in given.items()}
        for t in range(count, 0, -1):
            ds["s.h"] = ds["s.h"] + cotangents[f"h{t}"]
            step = one.backward(given, ds, caches[t - 1])
            ds = {name: step[name] for name in slots}
            total = {name: a + step[name] for name, a in total.items()}
        total |= ds
        return {first.get(name, name): a for name, a in total.items()}

    return Example(
        {first.get(name, name): a for name, a in one.leaves.items()},
        forward,
        backward,
        rows=tuple(first.get(name, name) for name in one.rows),
        gates=one.gates,
    )


def _gated_step(
    rng: Rng,
    plugin: RecurrentCell[Any, Any, Any],
    rnn: Recurrence[Any, Any, Any],
    s: State,
    n: int,
    d: int,
    h: int,
    setting: Setting,
) -> Example:
    assert isinstance(plugin, GatedCell)
    p = rnn.params.cell
    leaves = {
        "zx": setting.inputs * rng.standard_normal((n, len(plugin.x_gates) * h)),
        "zh": setting.inputs * rng.standard_normal((n, len(plugin.h_gates) * h)),
        **{f"s.{name}": a for name, a in named_arrays(s)},
        **{f"p.{name}": a for name, a in named_arrays(p)},
    }

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        after, cache = plugin.step(with_values(p, at, "p."), at["zx"], at["zh"], _as_state(s, at))
        return {f"s.{name}": a for name, a in named_arrays(after)}, cache

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        ds = _as_state(s, cotangents)
        dzx, dzh, before, dp = plugin.step_back(with_values(p, at, "p."), ds, cache)
        return _step_gradients({"zx": dzx, "zh": dzh}, before, dp)

    return Example(
        leaves,
        forward,
        backward,
        rows=("zx", "zh", *(f"s.{name}" for name, _ in named_arrays(s))),
        scratch=frozenset({"zx", "zh"}),
        gates={"zx": plugin.x_gates, "zh": plugin.h_gates},
    )


def _free_step(
    rng: Rng,
    plugin: RecurrentCell[Any, Any, Any],
    rnn: Recurrence[Any, Any, Any],
    s: State,
    n: int,
    d: int,
    h: int,
    setting: Setting,
) -> Example:
    assert isinstance(plugin, Cell)
    p = rnn.params
    leaves = {
        "x": setting.inputs * rng.standard_normal((n, d)),
        **{f"s.{name}": a for name, a in named_arrays(s)},
        **{f"p.{name}": a for name, a in named_arrays(p)},
    }

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        after, cache = plugin.step(with_values(p, at, "p."), at["x"], _as_state(s, at))
        return {f"s.{name}": a for name, a in named_arrays(after)}, cache

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        ds = _as_state(s, cotangents)
        dx, before, dp = plugin.step_back(with_values(p, at, "p."), ds, cache)
        return _step_gradients({"x": dx}, before, dp)

    rows = ("x", *(f"s.{name}" for name, _ in named_arrays(s)))
    return Example(leaves, forward, backward, rows=rows)


def _step_gradients(inputs: dict[str, Array], before: State, dp: Any) -> Leaves:
    return {
        **inputs,
        **{f"s.{name}": a for name, a in named_arrays(before)},
        **{f"p.{name}": a for name, a in named_arrays(dp)},
    }


def sequence(
    rng: Rng,
    plugins: Sequence[RecurrentCell[Any, Any, Any]],
    sizes: tuple[int, int, int, int],
    lengths: Sequence[int],
    *,
    last_only: bool = False,
) -> Example:
    """A stack of recurrences over sequences of these lengths, in the padded layout (N, T, ·)."""
    N, T, D, H = sizes
    packing = Packing.of_lengths(np.array(lengths))
    levels = [recurrence(p, D if i == 0 else H, H, rng) for i, p in enumerate(plugins)]
    leaves: dict[str, Array] = {"x": rng.standard_normal((N, T, D))}
    for i, level in enumerate(levels):
        leaves[f"h0.{i}"] = rng.standard_normal((N, plugins[i].start_width(H)))
        leaves |= {f"{i}.{name}": a for name, a in named_arrays(level.params)}

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        h, tapes = packing.pack(at["x"]), []
        for i, level in enumerate(levels):
            level = level.with_params(with_values(level.params, at, f"{i}."))
            h, tape = level.forward(h, packing.enter(at[f"h0.{i}"]), packing)
            tapes.append((level, tape))
        return {"h": packing.unpack(h, T)}, tapes

    def backward(at: Leaves, cotangents: Leaves, tapes: Any) -> Leaves:
        d = packing.pack(cotangents["h"])
        gradients: dict[str, Array] = {}
        for i, (level, tape) in reversed(list(enumerate(tapes))):
            d, dh0, dp = level.backward(d, tape)
            gradients[f"h0.{i}"] = packing.leave(dh0)
            gradients |= {f"{i}.{name}": a for name, a in named_arrays(dp)}
        return {"x": packing.unpack(d, T), **gradients}

    cotangents = None
    if last_only:
        dh = np.zeros((N, T, H))
        dh[:, -1] = rng.standard_normal((N, H))
        cotangents = {"h": dh}
    gates = {
        f"{i}.{name}": cell.x_gates if name != "Wh" else cell.h_gates
        for i, cell in enumerate(plugins)
        if isinstance(cell, GatedCell | GatedStep)
        for name in ("Wx", "b", "Wh")
    }
    return Example(
        leaves,
        forward,
        backward,
        cotangents=cotangents,
        gates=gates,
        laws=(_time_is_causal, _rows_do_not_meet, _padding_does_not_matter(lengths)),
    )


def _time_is_causal(example: Example) -> None:
    """What comes later cannot change what came before."""
    h, x = example.forward(copied(example.leaves))[0]["h"], example.leaves["x"]
    for t in range(1, x.shape[1]):
        later = copied(example.leaves)
        later["x"][:, t:] += 1.0
        if not close(example.forward(later)[0]["h"][:, :t], h[:, :t]):
            raise Broken("causal", f"the input at step {t} changes an earlier output")


def _rows_do_not_meet(example: Example) -> None:
    """What one sequence holds cannot change another."""
    h = example.forward(copied(example.leaves))[0]["h"]
    for row in range(len(h)):
        other = copied(example.leaves)
        other["x"][row] += 1.0
        rest = np.arange(len(h)) != row
        if not close(example.forward(other)[0]["h"][rest], h[rest]):
            raise Broken("rows independent", f"sequence {row} changes the outputs of another")


def _padding_does_not_matter(lengths: Sequence[int]) -> Any:
    """What stands beyond the end of a sequence has no effect, and no gradient."""

    def law(example: Example) -> None:
        h, padded = example.forward(copied(example.leaves))[0]["h"], copied(example.leaves)
        for row, length in enumerate(lengths):
            padded["x"][row, length:] += 1e3
        if not np.array_equal(example.forward(padded)[0]["h"], h):
            raise Broken("padding", "numbers beyond the end of a sequence change an output")

    return law
