"""Update rules: next_w, config = rule(w, dw, config), where config holds options and running values."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from rnnkit.kinds import Array
from rnnkit_builtin.optimizers.adam import Adam, AdamSlots
from rnnkit_builtin.optimizers.sgd import SGD

__all__ = ["adam", "sgd"]

Config: TypeAlias = dict[str, Any]


def sgd(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """w - learning_rate dw; option `learning_rate` (1e-2). Changes w in place, as the original does."""
    config = {} if config is None else config
    config.setdefault("learning_rate", 1e-2)
    rule = SGD(learning_rate=config["learning_rate"])
    rule.update(w, dw, rule.slots(w), 1, 1.0)
    return w, config


def adam(x: Array, dx: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Adam; options `learning_rate` (1e-3), `beta1` (0.9), `beta2` (0.999), `epsilon` (1e-8), running values
    `m`, `v` and `t`.

    The assignment adds epsilon to the root of the second moment before its correction, which is the correction
    of a larger epsilon: epsilon / sqrt(1 - beta2^t).
    """
    config = {} if config is None else config
    for name, value in (("learning_rate", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8)):
        config.setdefault(name, value)
    config.setdefault("m", np.zeros_like(x))
    config.setdefault("v", np.zeros_like(x))
    config["t"] = config.get("t", 0) + 1
    slots = AdamSlots(np.array(config["m"]), np.array(config["v"]))
    rule = Adam(
        config["learning_rate"],
        config["beta1"],
        config["beta2"],
        config["epsilon"] / (1.0 - config["beta2"] ** config["t"]) ** 0.5,
    )
    next_x = np.array(x)
    rule.update(next_x, dx, slots, config["t"], 1.0)
    config["m"], config["v"] = slots.m, slots.v
    return next_x, config
