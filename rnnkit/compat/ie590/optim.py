"""Update rules: next_w, config = rule(w, dw, config), where config holds options and running values.

`sgd` and `adam` change the array they are given and return it, as the assignment's do. `sgd_momentum` and `rmsprop`,
which the assignment before it leaves to its students, return a new one. Every rule writes into the config it is given,
and puts new running values in place of the old; none changes dw.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from rnnkit.kinds import Array
from rnnkit_builtin.optimizers.adam import Adam, AdamSlots
from rnnkit_builtin.optimizers.rmsprop import RMSProp, RMSPropSlots
from rnnkit_builtin.optimizers.sgd import SGD

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]

Config: TypeAlias = dict[str, Any]

UNIT = 1.0
"""Learning rate of the plugins here: the rate in a config goes in as the schedule's factor, which may be 0."""


def sgd(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """w - learning_rate dw, in place; option `learning_rate` (1e-2)."""
    config = _with_defaults(config, learning_rate=1e-2)
    rule = SGD(UNIT)
    rule.update(w, dw, rule.slots(w), 1, config["learning_rate"])
    return w, config


def sgd_momentum(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """w + v with v = momentum v - learning_rate dw; options `learning_rate` (1e-2) and `momentum` (0.9), running
    value `velocity`.

    The velocity contains the learning rate of its own update. The plugin `sgd` takes the rate of today for the
    whole velocity, so that the two part when the rate changes.
    """
    config = _with_defaults(config, learning_rate=1e-2, momentum=0.9, velocity=np.zeros_like(w))
    config["velocity"] = config["momentum"] * config["velocity"] - config["learning_rate"] * dw
    return w + config["velocity"], config


def rmsprop(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """w - learning_rate dw / (sqrt(cache) + epsilon) with the running mean `cache` of dw^2; options
    `learning_rate` (1e-2), `decay_rate` (0.99) and `epsilon` (1e-8).
    """
    config = _with_defaults(
        config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8, cache=np.zeros_like(w)
    )
    rule = RMSProp(UNIT, config["decay_rate"], config["epsilon"])
    slots = RMSPropSlots(np.array(config["cache"]), np.zeros_like(w))
    next_w = np.array(w)
    rule.update(next_w, dw, slots, 1, config["learning_rate"])
    config["cache"] = slots.square
    return next_w, config


def adam(x: Array, dx: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Adam, in place; options `learning_rate` (1e-3), `beta1` (0.9), `beta2` (0.999), `epsilon` (1e-8), running values
    `m`, `v` and `t`.

    The assignment adds epsilon to the root of the second moment before its correction, which is the correction
    of a larger epsilon: epsilon / sqrt(1 - beta2^t).
    """
    zeros = np.zeros_like(x)
    config = _with_defaults(
        config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, m=zeros, v=zeros, t=0
    )
    t = config["t"] + 1
    epsilon = config["epsilon"] / math.sqrt(1.0 - config["beta2"] ** t)
    rule = Adam(UNIT, config["beta1"], config["beta2"], epsilon)
    slots = AdamSlots(np.array(config["m"]), np.array(config["v"]))
    rule.update(x, dx, slots, t, config["learning_rate"])
    config.update(m=slots.m, v=slots.v, t=t)
    return x, config


def _with_defaults(config: Config | None, **defaults: Any) -> Config:
    """The very dict that came, or a new one, with what was missing."""
    config = {} if config is None else config
    for name, value in defaults.items():
        config.setdefault(name, value)
    return config
