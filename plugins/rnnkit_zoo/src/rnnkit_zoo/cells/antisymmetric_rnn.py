"""a = h (W - W^T) - gamma h;  h' = h + epsilon tanh(a + x_n)

with x_* = x Wx + b; Wx (D, H), b (H,), W (H, H), of which only the antisymmetric part matters.

With a gate, h' = h + epsilon sigmoid(a + x_z) tanh(a + x_n); Wx (D, 2H), b (2H,), gates in the order n, z.

Chang, Chen, Haber & Chi, "AntisymmetricRNN: a dynamical system view on recurrent neural networks" (2019), equations 12
and, with the gate, 13. W has all its elements, where they suggest a triangle: W - W^T can be the same matrices.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import ge, gt

from rnnkit.kinds import Array, Cell, DType, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class AntisymmetricParams(Params):
    Wx: Array  # (D, H), or (D, 2H) with a gate
    W: Array  # (H, H)
    b: Array  # (H,), or (2H,)


@attrs.frozen
class AntisymmetricCache:
    x: Array
    h_prev: Array
    n: Array
    z: Array  # of ones if there is no gate


@attrs.frozen
class AntisymmetricRNN(Cell[AntisymmetricParams, State, AntisymmetricCache]):
    """Forward Euler steps of a stable differential equation.

    Its recurrent matrix is antisymmetric, so that gradients neither grow nor fade much, without a gate. Try
    it for memory over many steps with few parameters; it learns slowly, so give it more epochs.

    Attributes:
        epsilon: the size of a step.
        gamma: the diffusion, which makes up for what a step of finite size adds.
        gated: whether a gate z controls what enters the state.
        input_weights: initial blocks (D, H) of Wx, gate by gate; normal with std 1/sqrt(D) if left open.
        recurrent_weights: initial W; normal with std 1/sqrt(H) if left open.
    """

    epsilon: float = attrs.field(default=0.1, validator=gt(0.0))
    gamma: float = attrs.field(default=0.1, validator=ge(0.0))
    gated: bool = False
    input_weights: Initializer | None = None
    recurrent_weights: Initializer | None = None

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> AntisymmetricParams:
        gates = "nz" if self.gated else "n"
        return AntisymmetricParams(
            Wx=np.hstack(
                [weights(self.input_weights, in_features, hidden, rng, dtype) for _ in gates]
            ),
            W=weights(self.recurrent_weights, hidden, hidden, rng, dtype),
            b=np.zeros(len(gates) * hidden, dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: AntisymmetricParams, x: Array, s: State) -> tuple[State, AntisymmetricCache]:
        a = s.h @ (p.W - p.W.T) - self.gamma * s.h
        xn, *xz = blocks(x @ p.Wx + p.b, 1 + self.gated)
        n = np.tanh(a + xn)
        z = sigmoid(a + xz[0]) if self.gated else np.ones_like(n)
        return State(s.h + self.epsilon * z * n), AntisymmetricCache(x, s.h, n, z)

    def step_back(
        self, p: AntisymmetricParams, ds: State, cache: AntisymmetricCache
    ) -> tuple[Array, State, AntisymmetricParams]:
        k, d = cache, self.epsilon * ds.h
        dn, dz = d * k.z * (1.0 - k.n**2), d * k.n * k.z * (1.0 - k.z)
        da = dn + dz  # dz is 0 without a gate, as z is 1
        dzx = np.concatenate((dn, dz), axis=-1) if self.gated else dn
        outer = k.h_prev.T @ da
        dp = AntisymmetricParams(Wx=k.x.T @ dzx, W=outer - outer.T, b=dzx.sum(axis=0))
        dh = ds.h - da @ (p.W - p.W.T) - self.gamma * da  # (W - W^T)^T = -(W - W^T)
        return dzx @ p.Wx.T, State(dh), dp
