"""A captioner's first state and its step as traced graphs, whatever its plugins are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.captioning.exporting.onnx.emitter import emit
from rnnkit.captioning.exporting.onnx.scope import Scope
from rnnkit.captioning.exporting.onnx.values import Values
from rnnkit.kinds import Array, State, map_arrays, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.tracing import Graph, Sizes, trace

IMAGE: Final = "image"
"""What of the image is read again at each step, where it enters beside the words or the outputs."""

ATTENTION: Final = "attention"
"""Begins the names of the weights that a recurrent layer gives to regions of the image, before the step."""


@attrs.frozen
class Slot:
    """An array that is remembered from step to step: one of a state, such as `state.0.h`, or `image`.

    Attributes:
        name: of it.
        shape: behind the rows.
    """

    name: str
    shape: tuple[int, ...]


@attrs.frozen(eq=False)
class Traced:
    """A captioner as two graphs.

    Attributes:
        model: it.
        begin: features -> memory.
        step: tokens, memory -> scores, memory, and attention.
        memory: its arrays.
        attention: outputs of the step that are weights of regions.
    """

    model: Captioner
    begin: Graph
    step: Graph
    memory: tuple[Slot, ...]
    attention: tuple[str, ...]

    def put_begin(self, scope: Scope, features: str, rows: str) -> dict[str, str]:
        """Put the first graph into a scope: the names of the memory."""
        inputs = {**self._weights(scope, self.begin), "features": features}
        found = emit(self.begin, Values(scope, rows), inputs)
        return {slot.name: found[slot.name] for slot in self.memory}

    def put_step(
        self, scope: Scope, tokens: str, memory: Mapping[str, str], rows: str
    ) -> dict[str, str]:
        """Put the second graph into a scope: the names of `log_probs`, of the memory after it, and of attention.

        Words that must not appear have log probability -inf.
        """
        inputs = {**self._weights(scope, self.step), **memory, "tokens": tokens}
        found = emit(self.step, Values(scope, rows), inputs)
        log_probs = scope.op("LogSoftmax", found.pop("scores"), axis=-1)
        found["log_probs"] = scope.op("Add", log_probs, scope.const(self._banned()))
        return {**found, **({IMAGE: memory[IMAGE]} if IMAGE in memory else {})}

    def _weights(self, scope: Scope, graph: Graph) -> dict[str, str]:
        """The parameters that a graph takes, as constants of the scope."""
        used = _taken(graph)
        return {
            name: scope.weight(name, w.astype(np.float32))
            for name, w in self.model.parameters.items()
            if name in used
        }

    def _banned(self) -> Array:
        banned = np.zeros((1, len(self.model.vocabulary)), np.float32)
        banned[:, self.model.banned] = -np.inf
        return banned


def traced(model: Captioner) -> Traced:
    """Trace a captioner.

    Raises:
        TraceError: a plugin cannot be traced; with the line, and what to write instead.
    """
    parameters = {name: w.astype(np.float64) for name, w in model.parameters.items()}
    exact = model.with_parameters(parameters)
    like, image = exact.body.begin(np.zeros((1, model.feature_width)))
    cells = [row.cell for row in model.spec.model.rnn]

    def features(sizes: Sizes, rng: np.random.Generator) -> Array:
        return rng.normal(size=(sizes["N"], model.feature_width))

    def begin(a: Mapping[str, Any], _: object) -> dict[str, Any]:
        states, v = _with(model, a).body.begin(a["features"])
        return {**named_states(states), IMAGE: v}

    def step(a: Mapping[str, Any], _: object) -> dict[str, Any]:
        network, states = _with(model, a), _states(like, a)
        looked = [cell.attention(s) for cell, s in zip(cells, states, strict=True)]
        after, h = network.body.step(network.body.project(a["tokens"]), states, a[IMAGE])
        weights = {f"{ATTENTION}.{i}": w for i, w in enumerate(looked) if w is not None}
        return {**named_states(after), **weights, "scores": network.head.scores(h)}

    def begun(sizes: Sizes, rng: np.random.Generator) -> dict[str, Any]:
        return {**parameters, "features": features(sizes, rng)}

    def under_way(sizes: Sizes, rng: np.random.Generator) -> dict[str, Any]:
        states, v = exact.body.begin(features(sizes, rng))
        tokens = rng.integers(0, len(model.vocabulary), sizes["N"])
        return {**parameters, **named_states(states), IMAGE: v, "tokens": tokens}

    first, then = trace(begin, begun), trace(step, under_way)
    slots = [Slot(name, a.shape[1:]) for name, a in named_states(like).items()]
    slots += [Slot(IMAGE, image.shape[1:])] if IMAGE in _taken(then) else []
    weights = tuple(name for name in then.outputs if name.startswith(f"{ATTENTION}."))
    return Traced(model, first, then, tuple(slots), weights)


def _taken(graph: Graph) -> set[str]:
    """The names of the inputs that the outputs depend on."""
    return {node.attributes["name"] for node in graph.nodes if node.op == "input"}


def _with(model: Captioner, a: Mapping[str, Any]) -> Captioner:
    return model.with_parameters({name: a[name] for name in model.parameters})


def named_states(states: Sequence[State]) -> dict[str, Array]:
    """The arrays of states by the names that they have in a file: `state.0.h` is slot h of recurrent layer 0."""
    return {
        f"state.{i}.{name}": array
        for i, state in enumerate(states)
        for name, array in named_arrays(state)
    }


def _states(like: Sequence[State], a: Mapping[str, Any]) -> tuple[State, ...]:
    """States of the same classes, of arrays by name."""
    names: Iterator[str] = iter(named_states(like))

    def of(_: Array) -> Array:
        array: Array = a[next(names)]
        return array

    return tuple(map_arrays(of, state) for state in like)
