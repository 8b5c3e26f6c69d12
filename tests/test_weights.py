"""Losses whose captions or words weigh unlike: losses of rnnkit and of others, networks, and lots of several losses."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest

from rnnkit.errors import DataError
from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar
from rnnkit.network.lots import Lot
from rnnkit.network.model import Captioner
from rnnkit.numerics import log_softmax
from rnnkit.testing.checks import checks_of_class
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from tests.test_model import SPECS, batch, tiny

WEIGHTS = np.array([1.5, -0.5, 0.0, 1.0, 2.0])


@attrs.frozen
class Square(Loss):
    """loss = sum over v of (softmax(scores)_v - onehot_v)^2, by somebody who has not heard of weights."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        p = np.exp(log_softmax(scores))
        off = p.copy()
        off[np.arange(len(p)), targets] -= 1.0
        off[~mask] = 0.0
        loss: Scalar = (off**2).sum()
        return loss, 2 * p * (off - (off * p).sum(axis=1, keepdims=True))


@attrs.frozen
class Unweighted(Square):
    """One whose author has them wrong: the gradient lacks them."""

    def weighted(
        self, scores: Array, targets: Ints, mask: Mask, weights: Array
    ) -> tuple[Scalar, Array]:
        loss, _ = super().weighted(scores, targets, mask, weights)
        return loss, self.evaluate(scores, targets, mask)[1]


def positions(loss: Loss, weights: Array) -> tuple[float, Array, float, Array]:
    """The weighted sum and its gradient, and both position by position."""
    rng = np.random.default_rng(0)
    M, V = len(weights), 7
    scores, targets, mask = rng.standard_normal((M, V)), rng.integers(0, V, M), rng.random(M) < 0.8
    total, gradients = 0.0, np.zeros((M, V))
    for m in range(M):
        one = slice(m, m + 1)
        value, gradient = loss.evaluate(scores[one], targets[one], mask[one])
        total += weights[m] * float(value)
        gradients[one] = weights[m] * gradient
    found, dscores = loss.weighted(scores, targets, mask, weights)
    return float(found), dscores, total, gradients


@pytest.mark.parametrize(
    "loss", [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(smoothing=0.2), Square()], ids=repr
)
def test_the_loss_of_each_position_is_multiplied_by_its_weight(loss: Loss) -> None:
    weights = np.array([2.0, -1.5, 0.0, 2.0, 0.25, 1.0, 7.0, -1.5])
    found, dscores, total, gradients = positions(loss, weights)
    assert found == pytest.approx(total, rel=1e-14)
    np.testing.assert_allclose(dscores, gradients, rtol=1e-13, atol=1e-15)


def test_weights_of_1_give_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    scores, targets, mask = rng.standard_normal((9, 5)), rng.integers(0, 5, 9), rng.random(9) < 0.5
    plain = SoftmaxCrossEntropy().evaluate(scores, targets, mask)
    weighted = SoftmaxCrossEntropy().weighted(scores, targets, mask, np.ones(9))
    assert plain[0] == weighted[0]
    assert np.array_equal(plain[1], weighted[1])


def test_the_harness_checks_the_gradient_with_weights() -> None:
    failed = {c.id for c in checks_of_class(Unweighted, "unweighted") if not c.run(0).ok}
    assert failed == {"weights,mask=all", "weights,mask=ragged"}
    assert all(check.run(0).ok for check in checks_of_class(Square, "square"))


@pytest.mark.parametrize("file", SPECS[:2], ids=lambda file: file.stem)
def test_captions_weigh_what_they_are_given(file: Path) -> None:
    model, (features, captions) = tiny(file), batch()
    loss, gradients = model.loss_and_gradients(features, captions, weights=WEIGHTS)
    total, sums = 0.0, {name: np.zeros_like(w) for name, w in model.parameters.items()}
    for row, weight in enumerate(WEIGHTS):
        one, of_one = model.loss_and_gradients(features[[row]], captions[[row]])
        total += weight * one / len(WEIGHTS)
        for name, gradient in of_one.items():
            sums[name] += weight * gradient / len(WEIGHTS)
    assert loss == pytest.approx(total, rel=1e-13)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, sums[name], rtol=1e-10, atol=1e-14)


def test_weights_are_one_for_each_caption() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    with pytest.raises(DataError, match=r"the weights have shape \(3,\), and 5 captions want one"):
        model.loss_and_gradients(features, captions, weights=np.ones(3))


def test_lots_of_captions_have_losses_and_scales_of_their_own() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    lots = [
        Lot(features[:2], captions[:2, :6], SoftmaxCrossEntropy(), 0.25, np.array([1.0, -3.0])),
        Lot(features[2:], captions[2:], Square(), 2.0),
    ]
    totals, gradients = model.evaluate_lots(lots)
    values, alone = zip(*(model.evaluate_lots([lot]) for lot in lots), strict=True)
    np.testing.assert_allclose(totals, np.concatenate(values), rtol=1e-13)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(
            gradient, alone[0][name] + alone[1][name], rtol=1e-10, atol=1e-14
        )
    (first,), _ = with_loss(model, Square()).evaluate_lots([lots[1]])
    loss, _ = with_loss(model, Square()).loss_and_gradients(features[2:], captions[2:])
    assert first == pytest.approx(3 * loss, rel=1e-13)


def with_loss(model: Captioner, loss: Loss) -> Captioner:
    train = attrs.evolve(model.spec.train, loss=loss)
    return attrs.evolve(model, spec=attrs.evolve(model.spec, train=train))
