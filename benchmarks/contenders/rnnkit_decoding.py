"""rnnkit: captions for the images of a batch."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.network import network
from benchmarks.task import Task
from rnnkit.kinds import Decoder
from rnnkit.kinds.arrays import Ints
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy


def greedy(task: Task) -> Callable[[int], Ints]:
    """Tokens (N, L), each the likeliest."""
    return _decoding(task, Greedy())


def beam(task: Task) -> Callable[[int], Ints]:
    """Tokens (N, L) of the best caption that a beam of 3 finds."""
    return _decoding(task, Beam(width=3))


def _decoding(task: Task, decoder: Decoder) -> Callable[[int], Ints]:
    model = network(task.problem, task.parameters).frozen()

    def run(i: int) -> Ints:
        return model.decode(task.batches[i].features, decoder).tokens[:, 0]

    return run
