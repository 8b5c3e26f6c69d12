"""Contracts of what has no gradient: optimizers, schedules, initializers, decoders, encoders,
rewards, and what others begin with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from rnnkit.kinds import (
    Decoder,
    Encoder,
    Initializer,
    Layer,
    Optimizer,
    Plugin,
    RecurrentCell,
    Reward,
    Rng,
    Schedule,
)
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.contracts.decoder import decoder_contracts
from rnnkit.testing.contracts.encoder import encoder_contracts
from rnnkit.testing.contracts.initializer import initializer_contracts
from rnnkit.testing.contracts.made import made_contracts
from rnnkit.testing.contracts.optimizer import optimizer_contracts
from rnnkit.testing.contracts.reward import reward_contracts
from rnnkit.testing.contracts.schedule import schedule_contracts
from rnnkit.testing.example import Broken

__all__ = ["Contract", "contracts_of"]


def contracts_of(plugin: Plugin) -> Iterator[Contract]:
    """The contracts of a plugin; none for activations and losses."""
    for contract in _contracts(plugin):
        yield _quiet(contract)


def _contracts(plugin: Plugin) -> Iterator[Contract]:
    match plugin:
        case Layer() | RecurrentCell():
            yield from made_contracts(plugin)
        case Optimizer():
            yield from optimizer_contracts(plugin)
        case Schedule():
            yield from schedule_contracts(plugin)
        case Initializer():
            yield from initializer_contracts(plugin)
        case Decoder():
            yield from decoder_contracts(plugin)
        case Encoder():
            yield from encoder_contracts(plugin)
        case Reward():
            yield from reward_contracts(plugin)


def _quiet(contract: Contract) -> Contract:
    """The same contract, and no warning on the way."""

    def law(rng: Rng) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                contract.law(rng)
            except Warning as e:
                raise Broken("no warnings", f"it warns: {type(e).__name__}: {e}") from e

    return Contract(contract.id, law)
