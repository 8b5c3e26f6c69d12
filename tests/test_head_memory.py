"""The head of a large vocabulary: gradients are summed where they are, and nothing is in memory twice."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import rnnkit
import rnnkit.network.head
from rnnkit.data import Vocabulary
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.numerics import add_product, product
from rnnkit.system import blas, process
from rnnkit.system.pages import LARGE, mostly_zeros
from rnnkit.system.process import Threads

cut = pytest.mark.skipif(blas.take(1) is None, reason="of OpenBLAS that multiplies in batches")
F, T = 5, 9


def network(head: str, V: int = 40, dim: int = 6, dtype: str = "float64") -> Captioner:
    source = (
        f"[model]\ndtype = '{dtype}'\nwords = {{ use = 'embedding', dim = {dim} }}\nhead = {head}\n"
        f"[[model.rnn]]\nhidden = {dim}\ncell = 'lstm'\n"
    )
    return assemble(rnnkit.parse_spec(source), Sizes(F, Vocabulary.standard(V), T))


def batch(N: int, V: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    captions = rng.integers(4, V, (N, T))
    captions[:, 0], captions[:, -1] = 1, 2
    return rng.standard_normal((N, F)), captions


@pytest.mark.parametrize(
    "head",
    [
        "'tied'",
        "['affine', 'tanh']",
        "[{ use = 'affine', units = 7 }, 'tanh', 'affine']",
        "['layer-norm', 'affine']",
    ],
)
@pytest.mark.parametrize("wrt", [None, ["head.0.b"], ["words.0.W"]])
def test_gradients_in_blocks_are_those_in_one(
    head: str, wrt: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (features, captions) = network(head), batch(4)
    if wrt and wrt[0] not in model.parameters:
        wrt = ["head.1.b"]
    want, gradients = model.loss_and_gradients(features, captions, wrt=wrt)
    monkeypatch.setattr(rnnkit.network.head, "HEAD_ROWS", 7)
    got, same = model.loss_and_gradients(features, captions, wrt=wrt)
    assert got == pytest.approx(want, rel=1e-14)
    assert same.keys() == gradients.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(same[name], gradient, rtol=0, atol=1e-14)


@cut
def test_the_gradient_of_a_large_head_is_in_memory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rnnkit.network.head, "HEAD_ROWS", 16)
    V, H = 20_000, 64
    model = network("'affine'", V, H, "float32")
    features, captions = batch(6, V)
    tracemalloc.start()
    _, gradients = model.loss_and_gradients(features, captions, wrt=["head.0.W"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert gradients["head.0.W"].nbytes == 4 * H * V
    assert peak < 4 * V * (H + 2 * 16)  # and scores of one block, with what the loss makes of them


@cut
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_added_with_the_same_bits_on_any_number_of_threads(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    a, b = (
        rng.standard_normal((90, 130)).astype(dtype),
        rng.standard_normal((90, 900)).astype(dtype),
    )
    start = rng.standard_normal((130, 900)).astype(dtype)
    found = []
    for free in (1, 2):
        monkeypatch.setattr(process, "_threads", Threads(2, partial(int, free), True))
        onto = start.copy()
        add_product(a.T, b, onto)
        found.append(onto)
    np.testing.assert_array_equal(found[0], found[1])
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(found[0], start + product(a.T, b), rtol=0, atol=300 * eps)
    turned = np.asfortranarray(start)  # what BLAS cannot add to
    add_product(a.T, b, turned)
    np.testing.assert_allclose(turned, found[0], rtol=0, atol=300 * eps)


def test_rows_that_nothing_is_written_to_take_no_memory() -> None:
    before = resident()
    rows = mostly_zeros((LARGE // 64, 512), np.float32)
    rows[:: len(rows) // 32] = 1.0
    assert resident() - before < rows.nbytes // 8
    assert rows.sum() == 512.0 * len(range(0, len(rows), len(rows) // 32))
    assert rows.flags.writeable
    assert rows.dtype == np.float32
    small = mostly_zeros((3, 2), np.complex128)
    assert small.dtype == np.complex128
    assert not small.any()


def resident() -> int:
    """Bytes of this process in memory."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("Linux tells what a process has in memory")
    return int(statm.read_text().split()[1]) * 4096
