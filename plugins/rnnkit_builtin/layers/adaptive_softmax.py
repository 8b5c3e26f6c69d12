"""log p(v) = a_v for v < k_0, else a_(k_0 + i) + log softmax(x P_i W_i)_(v - k_i) in cluster i, k_i <= v < k_(i+1),

with a = log softmax(x W + b): x (.., D), W (D, k_0 + C), P_i (D, d_i), W_i (d_i, k_(i+1) - k_i), log p (.., V).

The k_i are the cutoffs, C of them, and k_C = V. Frequent words come first, so that rare ones cost little.

Grave, Joulin, Cisse, Grangier & Jegou, "Efficient softmax approximation for GPUs" (2017), section 4. As
`torch.nn.AdaptiveLogSoftmaxWithLoss` with `head_bias=True`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Self

import attrs
import numpy as np
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Ints, LikelihoodLayer, Params, Rng
from rnnkit.numerics import log_softmax
from rnnkit_builtin.initializers.normal import Normal
from rnnkit_builtin.initializers.zeros import Zeros


@attrs.frozen
class Cluster(Params):
    P: Array  # (D, d)
    W: Array  # (d, words)


@attrs.frozen
class AdaptiveSoftmaxParams(Params):
    W: Array  # (D, k_0 + C)
    b: Array  # (k_0 + C,)
    clusters: tuple[Cluster, ...]


@attrs.frozen(eq=False)
class AllWords:
    """What the way back from all words needs; a (M, k_0 + C), and of each cluster x P and log softmax."""

    x: Array
    a: Array
    within: Sequence[tuple[Array, Array]]


@attrs.frozen(eq=False)
class Choice:
    """One of several at some positions: which it was, and the probabilities of all."""

    columns: Ints
    softmax: Array

    @classmethod
    def of(cls, z: Array, columns: Ints) -> tuple[Array, Self]:
        """The log probabilities of what was chosen, from scores z, which are overwritten."""
        z -= z.real.max(axis=1, keepdims=True)
        chosen = z[np.arange(len(z)), columns]
        e = np.exp(z, out=z)
        total = e.sum(axis=1)
        e /= total[:, None]
        return chosen - np.log(total), cls(columns, e)

    def back(self, d: Array) -> Array:
        """The gradient of z from that of the log probabilities."""
        dz: Array = self.softmax * -d[:, None]
        dz[np.arange(len(dz)), self.columns] += d
        return dz


@attrs.frozen(eq=False)
class SomeWords:
    """What the way back from given words needs; of each cluster the positions of its words, x P there, and the choice."""

    x: Array
    first: Choice
    within: Sequence[tuple[Ints, Array, Choice]]


@attrs.frozen
class AdaptiveSoftmax(LikelihoodLayer[AdaptiveSoftmaxParams, AllWords, SomeWords]):
    """Scores of frequent words, and clusters of rarer ones in narrower spaces: log probabilities of a large vocabulary.

    Attributes:
        units: V, the number of words; left open, it is the width that its chain must end in.
        cutoffs: the first word of each cluster, rising. Those at V or above are left out, and without any this is the full
            softmax. Left open, a twentieth and a fifth of V.
        shrink: cluster i has a space of width D / shrink^(i + 1), at least 1.
        weights: initial W, P and W of clusters; normal with standard deviation 1/sqrt(fan in) by default.
        bias: initial b.
    """

    units: int | None = attrs.field(default=None, validator=optional(ge(1)))
    cutoffs: tuple[int, ...] | None = attrs.field(default=None)
    shrink: float = attrs.field(default=4.0, validator=ge(1.0))
    weights: Initializer = Normal()
    bias: Initializer = Zeros()
    by_frequency: ClassVar[bool] = True

    @cutoffs.validator
    def _rise_from_1(
        self, attribute: attrs.Attribute[tuple[int, ...] | None], value: tuple[int, ...] | None
    ) -> None:
        if any(a >= b for a, b in pairwise((0, *(value or ())))):
            raise ValueError(f"'cutoffs' must rise from at least 1, as in [2000, 10000]: {value}")

    def fit(self, width: int) -> Self:
        return attrs.evolve(self, units=width) if self.units is None else self

    def out_features(self, in_features: int) -> int:
        if self.units is None:
            raise ValueError(
                "nothing says how many words this adaptive-softmax has: make it the last layer of the head, "
                "or give it 'units'"
            )
        return self.units

    @property
    def bounds(self) -> tuple[int, ...]:
        """k_0, .., k_C."""
        V = self.out_features(0)
        usual = sorted({-(-V // 20), -(-V // 5)})
        return (*(k for k in (usual if self.cutoffs is None else self.cutoffs) if k < V), V)

    def init(self, in_features: int, rng: Rng, dtype: DType) -> AdaptiveSoftmaxParams:
        def matrix(rows: int, columns: int) -> Array:
            return self.weights.fill((rows, columns), rows, columns, rng, dtype)

        D, k = in_features, self.bounds
        first = k[0] + len(k) - 1
        W, b = matrix(D, first), self.bias.fill((first,), D, first, rng, dtype)
        widths = [max(1, int(D // self.shrink ** (i + 1))) for i in range(len(k) - 1)]
        sizes = [end - begin for begin, end in pairwise(k)]
        made = [Cluster(matrix(D, d), matrix(d, n)) for d, n in zip(widths, sizes, strict=True)]
        return AdaptiveSoftmaxParams(W, b, tuple(made))

    def forward(
        self, p: AdaptiveSoftmaxParams, x: Array, rng: Rng | None
    ) -> tuple[Array, AllWords]:
        rows, k = x.reshape(-1, x.shape[-1]), self.bounds[0]
        a = log_softmax(rows @ p.W + p.b)
        within = []
        for cluster in p.clusters:
            t = rows @ cluster.P
            within.append((t, log_softmax(t @ cluster.W)))
        behind = [a[:, k + i, None] + log_p for i, (_, log_p) in enumerate(within)]
        y = np.concatenate([a[:, :k], *behind], axis=1)
        return y.reshape(*x.shape[:-1], y.shape[-1]), AllWords(x, a, within)

    def backward(
        self, p: AdaptiveSoftmaxParams, dy: Array, cache: AllWords
    ) -> tuple[Array, AdaptiveSoftmaxParams]:
        rows, k = cache.x.reshape(-1, cache.x.shape[-1]), self.bounds
        dy = dy.reshape(-1, dy.shape[-1])
        parts = [dy[:, begin:end] for begin, end in pairwise(k)]
        da = np.concatenate([dy[:, : k[0]], *(d.sum(axis=1, keepdims=True) for d in parts)], axis=1)
        dz = _before_softmax(da, cache.a)
        dx, dW, db = dz @ p.W.T, rows.T @ dz, dz.sum(axis=0)
        found = []
        for cluster, d, (t, log_p) in zip(p.clusters, parts, cache.within, strict=True):
            dz = _before_softmax(d, log_p)
            dt = dz @ cluster.W.T
            dx += dt @ cluster.P.T
            found.append(Cluster(rows.T @ dt, t.T @ dz))
        return dx.reshape(cache.x.shape), AdaptiveSoftmaxParams(dW, db, tuple(found))

    def likelihood(
        self, p: AdaptiveSoftmaxParams, x: Array, targets: Ints
    ) -> tuple[Array, SomeWords]:
        k = self.bounds
        cluster_of = np.searchsorted(k, targets, side="right")  # 0: none
        columns = np.where(cluster_of == 0, targets, k[0] + cluster_of - 1)
        z = x @ p.W
        z += p.b
        log_probs, first = Choice.of(z, columns)
        within = []
        for i, cluster in enumerate(p.clusters):
            rows = np.flatnonzero(cluster_of == i + 1)
            t = x[rows] @ cluster.P
            log_p, choice = Choice.of(t @ cluster.W, targets[rows] - k[i])
            log_probs[rows] += log_p
            within.append((rows, t, choice))
        return log_probs, SomeWords(x, first, within)

    def likelihood_back(
        self, p: AdaptiveSoftmaxParams, dlog_probs: Array, cache: SomeWords
    ) -> tuple[Array, AdaptiveSoftmaxParams]:
        x, dz = cache.x, cache.first.back(dlog_probs)
        dx, dW, db = dz @ p.W.T, x.T @ dz, dz.sum(axis=0)
        found = []
        for cluster, (rows, t, choice) in zip(p.clusters, cache.within, strict=True):
            dz = choice.back(dlog_probs[rows])
            dt = dz @ cluster.W.T
            dx[rows] += dt @ cluster.P.T
            found.append(Cluster(x[rows].T @ dt, t.T @ dz))
        return dx, AdaptiveSoftmaxParams(dW, db, tuple(found))

    def word_axes(self) -> Mapping[str, tuple[int, Ints]]:
        k = self.bounds
        first = np.concatenate([np.arange(k[0]), -1 - np.arange(len(k) - 1)])
        behind = {
            f"clusters.{i}.W": (1, np.arange(begin, end))
            for i, (begin, end) in enumerate(pairwise(k))
        }
        return {"W": (1, first), "b": (0, first), **behind}


def _before_softmax(d: Array, log_probs: Array) -> Array:
    """The gradient of scores from that of their log softmax."""
    dz: Array = d - np.exp(log_probs) * d.sum(axis=1, keepdims=True)
    return dz
