"""The assembled network: its gradients, masks, states, views, and what it refuses."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import numpy as np
import pytest

import rnnkit.network.head
from rnnkit.data import Vocabulary
from rnnkit.errors import DataError, SpecError
from rnnkit.kinds import Array, Ints
from rnnkit.network.builder import assemble
from rnnkit.network.memory import Lexicon
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec, read_spec
from tests.complex_steps import assert_gradients

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))
F, V, T = 6, 9, 7


def tiny(file: Path) -> Captioner:
    """The network of a spec file, at tiny sizes."""
    source = file.read_text(encoding="utf-8")
    spec = parse_spec(source, overrides=["model.dtype=float64"])
    rnn = tuple(attrs.evolve(row, hidden=4 + i) for i, row in enumerate(spec.model.rnn))
    spec = attrs.evolve(spec, model=attrs.evolve(spec.model, rnn=rnn))
    return assemble(spec, Sizes(F, Vocabulary.standard(V), T))


def batch(seed: int = 0) -> tuple[Array, Ints]:
    """Captions of several lengths, one with a hole, one empty."""
    rng = np.random.default_rng(seed)
    captions = np.zeros((5, T), int)
    for row, length in zip(captions, [7, 3, 5, 7, 1], strict=True):
        row[:length] = rng.integers(4, V, length)
        row[0] = 1
    captions[3, 3] = 0
    return rng.standard_normal((5, F)), captions


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
@pytest.mark.parametrize("seed", [None, 3], ids=["evaluating", "training"])
def test_gradients_of_every_spec_agree_with_a_complex_step(file: Path, seed: int | None) -> None:
    assert_gradients(tiny(file), *batch(), seed)


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_the_loss_is_the_sum_over_unmasked_positions_over_n(file: Path) -> None:
    """Against scores computed one row and one step at a time, by the decoders' step function."""
    model, (features, captions) = tiny(file), batch()
    total, tokens = 0.0, 0
    for row, feature in zip(captions, features, strict=True):
        memory = model.begin(feature[None])
        for word, target in itertools.pairwise(row):
            log_probs, memory = model.step(np.array([word]), memory)
            if target != 0:
                total -= float(log_probs[0, target])
                tokens += 1
    nats, count = model.nats(features, captions)
    assert count == tokens
    assert nats == pytest.approx(total, rel=1e-12)
    if model.spec.train.loss == parse_spec("[[model.rnn]]\nhidden=1\ncell='lstm'").train.loss:
        assert model.loss(features, captions) == pytest.approx(total / 5, rel=1e-12)


def test_padding_and_what_stands_in_it_never_reach_the_loss() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    wider = np.pad(captions, ((0, 0), (0, 3)))
    want, gradients = model.loss_and_gradients(features, captions)
    got, same = model.loss_and_gradients(features, wider)
    assert got == want
    assert all(np.array_equal(same[name], gradients[name]) for name in gradients)


def test_a_hole_is_stepped_through_but_has_no_loss() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    hole = captions[3:4].copy()
    filled = hole.copy()
    filled[0, 3] = 5
    nats, count = model.nats(features[3:4], hole)
    assert count == 5
    assert nats != pytest.approx(model.nats(features[3:4], filled)[0])


def test_rows_of_a_batch_do_not_see_each_other() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    together = model.scores(features, captions)
    for row in range(len(captions)):
        alone = model.scores(features[row : row + 1], captions[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], rtol=0, atol=1e-14)


def test_dropout_of_words_is_drawn_for_each_position() -> None:
    """Words are projected once each only where equal words have equal vectors."""
    source = (
        "[model]\ndtype = 'float64'\nwords = [{ use = 'embedding', dim = 300, weights = 'normal' },"
        " { use = 'dropout', rate = 0.5 }]\n[[model.rnn]]\nhidden = 4\ncell = 'vanilla'\n"
    )
    model = assemble(parse_spec(source), Sizes(F, Vocabulary.standard(V), T))
    same = np.array([[1, 5, 5, 5, 5, 5, 2]])
    _, plain = model.loss_and_gradients(np.ones((1, F)), same)
    _, dropped = model.loss_and_gradients(np.ones((1, F)), same, np.random.default_rng(0))
    zeros = [float(np.mean(g["words.0.W"][5] == 0.0)) for g in (plain, dropped)]
    assert zeros[0] == 0.0
    assert zeros[1] < 0.2  # one mask for the word would leave a half, five leave 1/32


def test_a_batch_without_any_target_has_no_loss_and_no_gradient() -> None:
    model = tiny(SPECS[0])
    loss, gradients = model.loss_and_gradients(np.ones((2, F)), np.array([[1, 0], [1, 0]]))
    assert loss == 0
    assert all(not g.any() for g in gradients.values())


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_the_loss_does_not_depend_on_the_blocks_of_the_head(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    want, gradients = model.loss_and_gradients(features, captions)
    monkeypatch.setattr(rnnkit.network.head, "HEAD_ROWS", rows)
    got, same = model.loss_and_gradients(features, captions)
    assert got == pytest.approx(want, rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(same[name], gradient, rtol=0, atol=1e-14)


def test_a_frozen_network_says_the_same_and_cannot_be_changed() -> None:
    model, (features, _) = tiny(SPECS[0]), batch()
    frozen = model.frozen()
    want = model.decode(features)
    for _ in range(2):  # the second time it knows the words
        got = frozen.decode(features)
        np.testing.assert_array_equal(got.tokens, want.tokens)
        np.testing.assert_allclose(got.log_probs, want.log_probs, rtol=1e-12)
    for name, w in frozen.parameters.items():
        model.parameters[name][...] = 0.0
        with pytest.raises(ValueError, match="read-only"):
            w[...] = 0.0
    np.testing.assert_array_equal(frozen.decode(features).tokens, want.tokens)
    assert frozen.with_parameters(model.parameters).lexicon is None


def test_a_lexicon_computes_each_word_once() -> None:
    asked: list[int] = []

    def project(tokens: Ints) -> Array:
        asked.extend(tokens.tolist())
        return np.stack([tokens, tokens**2], axis=1).astype(np.float64)

    lexicon = Lexicon(project, 20)
    rng = np.random.default_rng(0)
    for _ in range(30):
        tokens = rng.integers(0, 20, rng.integers(1, 6))
        np.testing.assert_array_equal(lexicon.rows(tokens), np.stack([tokens, tokens**2], axis=1))
    assert sorted(asked) == list(range(20))


def test_parameters_are_a_view_of_what_the_network_computes_with() -> None:
    model, (features, captions) = tiny(SPECS[0]), batch()
    before = model.loss(features, captions)
    model.parameters["head.0.b" if "head.0.b" in model.parameters else "head.1.b"][5] += 1.0
    assert model.loss(features, captions) != before


def test_float32_networks_compute_in_float32() -> None:
    for file in SPECS:
        model, (features, captions) = (
            assemble(read_spec(file), Sizes(F, Vocabulary.standard(V), T)),
            batch(),
        )
        rng = np.random.default_rng(0)
        _, gradients = model.loss_and_gradients(features, captions, rng)
        assert {g.dtype for g in gradients.values()} == {np.dtype(np.float32)}, file
        assert {w.dtype for w in model.parameters.values()} == {np.dtype(np.float32)}, file
        assert model.scores(features, captions).dtype == np.float32


def test_equal_seeds_give_equal_networks_and_others_do_not() -> None:
    spec = read_spec(SPECS[0])
    sizes = Sizes(F, Vocabulary.standard(V), T)
    other = attrs.evolve(spec, model=attrs.evolve(spec.model, seed=7))
    a, b, c = (assemble(s, sizes).parameters["rnn.0.Wx"] for s in (spec, spec, other))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_captions_never_have_special_words_and_end() -> None:
    model = tiny(SPECS[0])
    rng = np.random.default_rng(0)
    for decoder in ("greedy", '{ use = "beam", width = 4 }', "sample"):
        chosen = parse_spec(
            f"[[model.rnn]]\nhidden=1\ncell='lstm'\n[caption]\ndecoder = {decoder}"
            if decoder[0] == "{"
            else f"[[model.rnn]]\nhidden=1\ncell='lstm'\n[caption]\ndecoder = '{decoder}'"
        ).caption.decoder
        decoded = model.decode(rng.standard_normal((20, F)), chosen)
        assert decoded.tokens.shape[0] == 20
        assert decoded.tokens.shape[2] <= T - 1
        assert set(decoded.tokens.ravel().tolist()) <= {2, *range(4, V)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            'image = { use = "affine", units = 3 }',
            "model.image: the chain ends in width 3, but must end in 5",
        ),
        ('image = "tanh"', "model.image: the chain ends in width 6, but must end in 5 here"),
        ('image = ["affine", "tanh", "affine"]', "model.image[0]: nothing says how wide"),
        ('image = { use = "embedding", dim = 3 }', "this layer takes tokens, but gets numbers"),
        ('words = "affine"', "model.words[0]: this layer takes numbers, but gets tokens here"),
        ("words = []", "model.words: the chain needs a layer that takes tokens"),
        (
            'head = ["affine", { use = "affine", units = 4 }]',
            "model.head[0]: nothing says how wide",
        ),
    ],
)
def test_parts_that_do_not_fit_are_told_at_their_line(change: str, text: str) -> None:
    source = f"[model]\n{change}\n[[model.rnn]]\nhidden = 5\ncell = 'vanilla'\n"
    with pytest.raises(SpecError) as caught:
        assemble(parse_spec(source, "s.toml"), Sizes(F, Vocabulary.standard(V), T))
    assert str(caught.value).startswith("s.toml:2: ")
    assert text in str(caught.value)


def test_a_free_form_cell_refuses_weights_that_it_would_not_use() -> None:
    source = "[[model.rnn]]\nhidden = 5\ncell = 'gru-reset-before'\ninput_weights = 'zeros'\n"
    with pytest.raises(
        SpecError, match=r"s.toml:4: model.rnn\[0\].input_weights: a free-form cell"
    ):
        assemble(parse_spec(source, "s.toml"), Sizes(F, Vocabulary.standard(V), T))


@pytest.mark.parametrize(
    ("features", "captions", "text"),
    [
        (np.ones((2, F + 1)), np.ones((2, T), int), "takes (N, 6)"),
        (np.ones((2, F)), np.ones((3, T), int), "2 images want (2, T)"),
        (
            np.ones((2, F)),
            np.full((2, T), V),
            "tokens from 9 to 9, and the vocabulary goes from 0 to 8",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(features: Array, captions: Ints, text: str) -> None:
    with pytest.raises(DataError) as caught:
        tiny(SPECS[0]).loss_and_gradients(features, captions)
    assert text in str(caught.value)
