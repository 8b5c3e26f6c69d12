"""Networks that write together, against probabilities put together by hand; and how the command shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import attrs
import numpy as np
import pytest
from typer.testing import CliRunner

import rnnkit.captioning.ensemble
from rnnkit.captioning.ensemble import Ensemble, load_writer, log_mean
from rnnkit.captioning.images import caption_split
from rnnkit.cli import app
from rnnkit.data import Vocabulary, open_data
from rnnkit.errors import CheckpointError, DataError, SpecError
from rnnkit.kinds import Array, Decoder, Ints
from rnnkit.network.builder import assemble, build
from rnnkit.network.checkpoint import save_model
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy
from rnnkit_builtin.decoders.sample import Sample

F, V, T = 5, 8, 6
WORDS = Vocabulary.standard(V)


def network(
    cell: str,
    seed: int,
    *,
    words: Vocabulary = WORDS,
    features: int = F,
    length: int = T,
    dtype: str = "float64",
    raw: str = "false",
) -> Captioner:
    """A network with weights large enough to have something to say."""
    source = f"""
        [data]
        raw = {raw}
        [model]
        dtype = "{dtype}"
        seed = {seed}
        words = {{ use = "embedding", dim = {3 + seed} }}
        [[model.rnn]]
        hidden = {4 + seed}
        cell = "{cell}"
        [caption]
        decoder = {{ use = "beam", width = {seed + 1} }}
    """
    model = assemble(parse_spec(source), Sizes(features, words, length))
    rng = np.random.default_rng(seed)
    for w in model.parameters.values():
        w[...] = rng.standard_normal(w.shape)
    return model


def three() -> list[Captioner]:
    return [network("lstm", 1), network("gru", 2, length=9), network("vanilla", 3)]


def batch() -> tuple[Array, Ints]:
    """Captions of several lengths, one with a hole, one empty."""
    rng = np.random.default_rng(0)
    captions = np.zeros((5, T), int)
    for row, length in zip(captions, [6, 3, 5, 6, 1], strict=True):
        row[:length] = [1, *rng.integers(3, V, length - 1)]
        row[length - 1] = 2 if length > 1 else 1
    captions[3, 3] = 0
    return rng.standard_normal((5, F)), captions


def mixed(models: list[Captioner], features: Array, captions: Ints) -> Array:
    """The mean of softmax(scores) over models: (N, T - 1, V)."""
    probabilities = []
    for model in models:
        e = np.exp(model.scores(features, captions))
        probabilities.append(e / e.sum(axis=2, keepdims=True))
    mean: Array = np.mean(probabilities, axis=0)
    return mean


def test_the_next_word_has_the_mean_of_the_networks_probabilities() -> None:
    models = three()
    ensemble, (features, captions) = Ensemble(models), batch()
    want, memory = mixed(models, features, captions), ensemble.begin(features)
    reach = np.cumsum(captions[:, :0:-1] != 0, axis=1)[:, ::-1] > 0  # scores end where captions do
    for t in range(T - 1):
        log_probs, memory = ensemble.step(captions[:, t], memory)
        np.testing.assert_allclose(np.exp(log_probs)[reach[:, t]], want[reach[:, t], t], rtol=1e-12)
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 10**9])
def test_captions_are_judged_by_the_mean_of_probabilities(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnkit.captioning.ensemble, "SCORE_BYTES", size)
    models, (features, captions) = three(), batch()
    targets = captions[:, 1:]
    of_targets = np.take_along_axis(mixed(models, features, captions), targets[:, :, None], 2)
    nats, count = Ensemble(models).nats(features, captions)
    assert count == (targets != 0).sum()
    assert nats == pytest.approx(-np.log(of_targets[:, :, 0][targets != 0]).sum(), rel=1e-12)


def test_no_captions_have_no_nats() -> None:
    features, captions = batch()
    assert Ensemble(three()).nats(features[:0], captions[:0]) == (0.0, 0)


@pytest.mark.parametrize(
    ("features", "captions", "text"),
    [
        (np.ones((2, F)), np.ones((3, T), int), "there are 3 captions and 2 images"),
        (np.ones((3, F)), np.ones((2, T), int), "there are 2 captions and 3 images"),
        (np.ones((2, F + 1)), np.ones((2, T), int), "takes (N, 5)"),
        (np.ones((2, F)), np.ones((2, 1), int), "with T at least 2"),
        (np.ones((2, F)), np.full((2, T), V), "the vocabulary goes from 0 to 7"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(features: Array, captions: Ints, text: str) -> None:
    with pytest.raises(DataError) as caught:
        Ensemble(three()).nats(features, captions)
    assert text in str(caught.value)


def test_probabilities_too_small_for_a_number_still_have_a_logarithm() -> None:
    assert np.exp(np.float64(-1000.0)) == 0.0
    got = log_mean([np.array([-1000.0, 0.0, -np.inf]), np.array([-1001.0, -2000.0, -np.inf])])
    want = [-1000.0 + math.log((1.0 + math.exp(-1.0)) / 2.0), math.log(0.5), -math.inf]
    np.testing.assert_allclose(got, want, rtol=1e-15)
    assert log_mean([np.zeros(3, np.float32)] * 3).dtype == np.float32
    models = [network("lstm", seed, dtype="float32") for seed in (1, 2)]
    for model, size in zip(models, (300.0, 250.0), strict=True):
        model.parameters["head.0.b"][5] = -size
    features, captions = batch()
    captions[:, 1] = 5
    nats, _ = Ensemble(models).nats(features, captions)
    assert 5 * 200.0 < nats < math.inf


@pytest.mark.parametrize("decoder", [Greedy(), Beam(3), Sample(0.5), Sample(draws=2)], ids=str)
def test_one_network_or_the_same_twice_writes_as_it_does_alone(decoder: Decoder) -> None:
    model = network("lstm", 1)
    features, _ = batch()
    want = model.decode(features, decoder)
    for models in ([model], [model, model]):
        got = Ensemble(models).decode(features, decoder)
        np.testing.assert_array_equal(got.tokens, want.tokens)
        np.testing.assert_allclose(got.log_probs, want.log_probs, rtol=1e-12)


def test_what_is_written_has_the_probability_that_the_ensemble_gives_it() -> None:
    """Of all captions, as many as a beam holds; two networks would not write what three do."""
    models = three()
    ensemble, (features, _) = Ensemble(models), batch()
    decoded = ensemble.decode(features, Beam(3000))
    for feature, rows, log_probs in zip(features, decoded.tokens, decoded.log_probs, strict=True):
        there = log_probs > -np.inf
        assert there.sum() == 1 + 4 + 16 + 64 + 256 + 1024
        # What is missing are words that mean nothing: together less than certain.
        assert np.exp(log_probs[there]).sum() < 1.0
        for row, log_prob in zip(rows[:40].tolist(), log_probs[:40].tolist(), strict=True):
            length = row.index(2) + 1 if 2 in row else len(row)
            nats, _ = ensemble.nats(feature[None], np.array([[1, *row[:length]]]))
            assert log_prob == pytest.approx(-nats, rel=1e-10)


def test_the_first_says_how_to_write() -> None:
    models = three()
    ensemble, other = Ensemble(models), Ensemble(models[1:])
    features, _ = batch()
    assert ensemble.spec is models[0].spec
    assert (ensemble.length, other.length) == (T, 9)
    assert (ensemble.feature_width, len(ensemble.vocabulary)) == (F, V)
    assert ensemble.decode(features).tokens.shape[1] == 2
    assert other.decode(features).tokens.shape[1] == 3
    assert ensemble.decode(features).tokens.shape[2] <= T - 1
    assert len(ensemble.caption(features)) == 5
    assert ensemble.caption(features[:0]) == []


def test_networks_of_both_precisions_write_in_the_finer_one() -> None:
    models = [network("lstm", 1, dtype="float32"), network("gru", 2)]
    ensemble, (features, captions) = Ensemble(models), batch()
    assert ensemble.dtype == np.float64
    assert Ensemble(models[:1]).dtype == np.float32
    log_probs, _ = ensemble.step(captions[:, 0], ensemble.begin(features))
    assert log_probs.dtype == np.float64
    assert np.isfinite(ensemble.nats(features, captions)[0])


def other_words(*words: str, joiner: str = " ") -> Vocabulary:
    return Vocabulary.from_words([*WORDS.words[:4], *words], joiner=joiner)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (
            network("gru", 2, words=Vocabulary.standard(V + 1)),
            "model 3 has other words than model 1 (9 of them, not 8)",
        ),
        (
            network("gru", 2, words=other_words("word4", "word6", "word5", "word7")),
            "model 3 has other words than model 1 (token 5 is 'word6', not 'word5')",
        ),
        (
            network("gru", 2, words=other_words("a", "b", "c", "d", joiner="")),
            "(one spells captions out, the other does not)",
        ),
        (
            network("gru", 2, features=F + 1),
            "model 3 takes image features of width 6, and model 1 of width 5",
        ),
        (
            network("gru", 2, raw="true"),
            "model 3 takes raw image features, and model 1 takes reduced ones",
        ),
    ],
)
def test_networks_that_cannot_write_together_are_told_apart(other: Captioner, text: str) -> None:
    with pytest.raises(DataError) as caught:
        Ensemble([*three()[:2], other])
    assert text in str(caught.value)


def test_an_ensemble_of_none_is_refused() -> None:
    with pytest.raises(DataError, match="at least one model"):
        Ensemble([])


# From files, and in the terminal


SPEC = """\
[data]
path = {data}
[model]
words = {{ use = "embedding", dim = 8 }}
[[model.rnn]]
hidden = {hidden}
cell = "{cell}"
"""


@pytest.fixture(scope="module")
def files(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models of the tiny data, and one of other words."""
    folder = tmp_path_factory.mktemp("models")
    found = []
    for i, (cell, hidden) in enumerate([("lstm", 9), ("gru", 12)]):
        spec = folder / f"{cell}.toml"
        spec.write_text(SPEC.format(data=json.dumps(str(tiny_data)), cell=cell, hidden=hidden))
        model = build(spec)
        rng = np.random.default_rng(i)
        for w in model.parameters.values():
            w[...] = 0.3 * rng.standard_normal(w.shape)
        found.append(folder / f"{cell}.h5")
        save_model(model, found[-1])
    found.append(folder / "other.h5")
    save_model(network("lstm", 1), found[-1])
    return found


def test_models_are_read_from_files_and_cannot_be_changed(files: list[Path]) -> None:
    alone, together = load_writer(files[:1]), load_writer(files[:2])
    assert isinstance(alone, Captioner)
    assert isinstance(together, Ensemble)
    for model in (alone, *together.models):
        assert model.lexicon is not None
        assert not any(w.flags.writeable for w in model.parameters.values())
    np.testing.assert_array_equal(
        together.models[0].parameters["rnn.0.Wx"], alone.parameters["rnn.0.Wx"]
    )


def test_files_that_do_not_go_together_are_called_by_their_names(files: list[Path]) -> None:
    with pytest.raises(DataError) as caught:
        load_writer([files[0], files[2]])
    assert str(caught.value).startswith(f"{files[2]} has other words than {files[0]} (8 of them")
    with pytest.raises(CheckpointError, match=r"none\.h5: no such model file"):
        load_writer([files[0], files[0].with_name("none.h5")])


def shown(*arguments: str | Path) -> list[dict[str, object]]:
    ran = CliRunner().invoke(app, ["caption", *map(str, arguments), "--json"])
    assert ran.exit_code == 0, ran.output
    found: list[dict[str, object]] = json.loads(ran.output)
    return found


def test_captions_are_of_the_data_of_the_first_model_unless_told(
    files: list[Path], tiny_data: Path
) -> None:
    assert shown(*files[:2]) == shown(*files[:2], "--data", tiny_data)
    ran = CliRunner().invoke(app, ["caption", str(files[2])])
    assert isinstance(ran.exception, DataError)
    assert "name a folder with --data" in str(ran.exception)


def test_several_models_caption_together(files: list[Path], tiny_data: Path) -> None:
    with open_data(tiny_data) as data:
        want = caption_split(load_writer(files[:2]), data, "val", 4)
    got = shown(*files[:2], "--data", tiny_data, "--n", "4")
    assert got == [attrs.asdict(item) for item in want]
    assert got != shown(files[0], "--data", tiny_data, "--n", "4")
    assert got != shown(files[1], "--data", tiny_data, "--n", "4")


def test_the_best_captions_are_shown_in_order(files: list[Path], tiny_data: Path) -> None:
    beam = '{ use = "beam", width = 4 }'
    arguments = [str(files[0]), "--data", str(tiny_data), "--n", "2", "--decoder", beam]
    model = load_writer(files[:1])
    with open_data(tiny_data) as data:
        features = data.split("val").features.rows(np.arange(2), model.dtype)
    decoded = model.decode(features, Beam(4))
    ran = CliRunner().invoke(app, ["caption", *arguments, "--n-best", "3"])
    lines = ran.output.splitlines()
    for item, tokens, log_probs in zip(
        shown(*arguments, "--n-best", "3"), decoded.tokens, decoded.log_probs, strict=True
    ):
        texts = [model.vocabulary.decode(row) for row in tokens[:3]]
        assert item["caption"] == texts[0]
        assert item["log_prob"] == log_probs[0]
        assert item["others"] == [
            list(pair) for pair in zip(texts[1:], log_probs[1:3], strict=True)
        ]
        first = lines.index(f"  {texts[0]}  [{log_probs[0]:.2f}]")
        for k in (1, 2):
            assert lines[first + k] == f"  {texts[k]}  [{log_probs[k]:.2f}]"
    assert all(item["others"] == [] for item in shown(*arguments))


def test_more_captions_than_the_decoder_finds_are_told(files: list[Path], tiny_data: Path) -> None:
    arguments = ["caption", str(files[0]), "--data", str(tiny_data), "--n-best", "3"]
    ran = CliRunner().invoke(app, arguments)
    assert isinstance(ran.exception, SpecError)
    assert "greedy finds 1 of the 3 captions that --n-best asks for" in str(ran.exception)
    assert """--decoder '{ use = "beam", width = 3 }'""" in str(ran.exception)
    drawn = '{ use = "sample", draws = 3 }'
    for item in shown(*arguments[1:], "--decoder", drawn):
        assert len(item["others"]) == 2  # type: ignore[arg-type]  # of JSON
