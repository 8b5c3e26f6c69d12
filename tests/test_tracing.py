"""Stand-ins for arrays, and the graphs of what plugins compute."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnnkit import registry
from rnnkit.errors import RegistryError, TraceError
from rnnkit.kinds import Activation, Layer, Loss, Plugin, RecurrentCell
from rnnkit.kinds.traced import MASKED, CellTrace, traced
from rnnkit.testing.variants import variants
from rnnkit.tracing import Graph, Size, trace


def plugins() -> list[Plugin]:
    """Every installed plugin that computes, with its promised options."""
    found: list[Plugin] = []
    for kind in (RecurrentCell, Layer, Activation, Loss):
        for name in registry.names(kind):
            try:
                cls = registry.load(kind, name)
            except RegistryError:  # the test distribution has some that are meant to fail
                continue
            found += [v.plugin for v in variants(cls) if v.promised]
    return found


def graph_of(f: Callable[..., Any], **shapes: tuple[int | str, ...]) -> Graph:
    """The graph of a function of arrays, whose lengths called N are free."""

    def draw(sizes: Any, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: rng.standard_normal([sizes.get(n, n) for n in shape])
            for name, shape in shapes.items()
        }

    return trace(lambda at, rng: {"y": f(**at)}, draw)


@pytest.mark.parametrize("plugin", plugins(), ids=repr)
def test_a_graph_computes_what_the_plugin_does(plugin: Plugin) -> None:
    graph = traced(plugin)  # compares both in float64, at two sizes
    if isinstance(plugin, RecurrentCell):
        made = CellTrace(plugin)
        arrays = made.draw({"N": 7, "D": 4, "H": 5}, np.random.default_rng(1))
        single = {name: a.astype(np.float32) for name, a in arrays.items()}
        for given in (arrays, single):
            wanted = made.run({name: a.copy() for name, a in given.items()}, None)
            found = graph.evaluate(given)
            for name, y in wanted.items():
                assert found[name].dtype == y.dtype
                np.testing.assert_allclose(found[name], y, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, W: np.tanh(x @ W)[:, 1:3],
        lambda x, W: np.einsum("ni,ij->nj", x, W) - np.tensordot(x, W, 1),
        lambda x, W: np.concatenate([x, x @ W], axis=1).reshape(len(x), 2, -1).swapaxes(1, 2),
        lambda x, W: np.where(x > 0, x, np.exp(x)) / (1 + np.abs(x)).sum(axis=-1, keepdims=True),
        lambda x, W: np.stack(np.split(x, 2, axis=1)).mean(axis=0),
        lambda x, W: np.clip(x, -0.5, 0.5).cumsum(axis=1) + W.max(axis=0),
        lambda x, W: x[np.arange(len(x)), x.argmax(axis=1)],
        lambda x, W: np.ones((len(x), 4)) * x + np.zeros(len(x))[:, None],
        lambda x, W: np.var(x, axis=1) + np.linalg.norm(x, axis=1) + np.hypot(x, 1.0)[:, 0],
        lambda x, W: np.roll(x, 1, axis=1) * np.flip(x, 1) + np.outer(x[:, 0], W[0]),
    ],
)
def test_numpy_is_traced_as_it_is_written(f: Callable[..., Any]) -> None:
    graph = graph_of(f, x=("N", 4), W=(4, 4))
    rng = np.random.default_rng(2)
    arrays = {"x": rng.standard_normal((9, 4)), "W": rng.standard_normal((4, 4))}
    np.testing.assert_allclose(graph.evaluate(arrays)["y"], f(**arrays), rtol=1e-15, atol=1e-15)


def in_place(x: Any, W: Any) -> Any:
    """Writes through views, views of views, transposes and `out`."""
    z = x @ W
    left, right = z[:, :2], z[:, 2:]
    left += 1.0
    np.tanh(right, out=right)
    right.T[0] = left[:, 1]
    z[:, ::2] *= 2.0
    flat = z.reshape(-1)
    flat[:1] = -7.0
    twice: Any = (slice(None), [1, 1, 3])
    np.add.at(z, twice, 0.5)
    y = np.zeros_like(z)
    y[:, 1:] = z[:, :-1]
    y[y > 1.0] = 1.0
    return y + left[:, :1] + right.copy()[:, :1]


def test_views_read_and_write_their_base() -> None:
    graph = graph_of(in_place, x=("N", 3), W=(3, 4))
    rng = np.random.default_rng(3)
    arrays = {"x": rng.standard_normal((6, 3)), "W": rng.standard_normal((3, 4))}
    np.testing.assert_array_equal(graph.evaluate(arrays)["y"], in_place(**arrays))


def test_the_batch_is_found_by_tracing_at_two_sizes() -> None:
    graph = graph_of(lambda x, W: (x @ W).reshape(len(x) * 3, 1), x=("N", 3), W=(3, 3))
    assert graph.inputs["x"].shape == (Size((("N", 1),)), 3)
    assert graph.inputs["W"].shape == (3, 3)  # 3 is the first of the batch sizes
    assert graph.outputs["y"].shape == (Size((("N", 3),)), 1)


def test_the_weight_of_a_number_is_that_of_python() -> None:
    graph = graph_of(lambda x: 0.5 * x + np.where(x > 0, 1.0, 2.0).astype(x.dtype), x=("N", 2))
    assert graph.evaluate({"x": np.ones((5, 2), np.float32)})["y"].dtype == np.float32


def test_the_author_names_what_is_computed() -> None:
    graph = traced(registry.load(RecurrentCell, "lstm")())
    names = {node.name for node in graph.nodes}
    assert {"i", "f", "o", "g", "c", "tanh_c", "zi", "zf", "s.c"} <= names
    c = graph.outputs["s.c"]
    assert re.search(r"lstm\.py:\d+$", c.place)


def test_masked_positions_are_free_too() -> None:
    loss = registry.load(Loss, "softmax-cross-entropy")()
    graph = traced(loss)
    assert [dict(sizes) for sizes in graph.examples] == [dict(sizes) for sizes in MASKED]
    rng = np.random.default_rng(0)
    scores, targets = rng.standard_normal((11, 5)), rng.integers(0, 5, 11)
    mask = rng.random(11) > 0.4
    value, dscores = loss.evaluate(scores, targets, mask)
    found = graph.evaluate({"scores": scores, "targets": targets, "mask": mask})
    assert found["loss"] == pytest.approx(value, rel=1e-15)
    np.testing.assert_allclose(found["dscores"], dscores, rtol=1e-15)


def if_positive(x: Any) -> Any:
    if (x > 0).all():
        return x
    return -x


def written_into(x: Any) -> Any:
    y = np.empty(x.shape)
    y[:, 0] = x[:, 1]
    return y


def with_rows(x: Any) -> Any:
    for _ in range(len(x)):
        x = x + 1.0
    return x


STRANGE: Any = [0.0]


def kept(x: Any) -> Any:
    STRANGE[0] += 1.0
    return x + STRANGE[0]


@pytest.mark.parametrize(
    ("f", "line", "said"),
    [
        (if_positive, 1, "write np.where(condition, a, b)"),
        (written_into, 2, "begin with np.zeros_like"),
        (lambda x: x * float(x[0, 0]), 0, "leave it an array"),
        (lambda x: np.sort(x), 0, "it uses np.sort, which rnnkit does not trace"),
        (lambda x: np.linalg.inv(x.T @ x), 0, "it uses np.linalg.inv"),
        (lambda x: x.byteswap(), 0, "it uses .byteswap of an array"),
        (with_rows, 2, "depends on how many rows there are"),
        (lambda x: x * np.linspace(0, 1, len(x))[:, None], 0, "numbers depend on how many rows"),
    ],
)
def test_what_cannot_be_traced_is_one_sentence_with_its_line(
    f: Callable[..., Any], line: int, said: str
) -> None:
    with pytest.raises(TraceError, match=re.escape(said)) as raised:
        graph_of(f, x=("N", 2))
    place = f"{__file__}:{f.__code__.co_firstlineno + line}: "
    assert str(raised.value).startswith(place)
    assert "\n" not in str(raised.value)


def test_what_depends_on_more_than_its_arrays_is_found() -> None:
    with pytest.raises(TraceError, match=r"numbers depend on|does not compute the same"):
        graph_of(kept, x=("N", 2))


def test_tracing_leaves_the_profiler_as_it_was() -> None:
    before = sys.getprofile()
    graph_of(lambda x: np.tanh(x), x=("N", 2))
    assert sys.getprofile() is before
