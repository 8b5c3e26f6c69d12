"""From Python: what somebody gives to rnnkit who is in a hurry works, or is told in a sentence."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import attrs
import numpy as np
import pytest

import rnnkit
from rnnkit.errors import DataError, RegistryError, RnnkitError, SpecError
from rnnkit.network.model import Captioner
from rnnkit.system.console import console, shows_bars
from rnnkit.training import display

SPEC = """
[data]
features = 6
vocabulary = 20
length = 7
[[model.rnn]]
hidden = 8
cell = "lstm"
"""

FEATURES = np.random.default_rng(3).standard_normal((3, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Captioner:
    return rnnkit.build(rnnkit.parse_spec(SPEC))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "spec.toml"
    made.write_text(SPEC)
    return made


def test_a_decoder_goes_by_its_name(model: Captioner) -> None:
    beam = rnnkit.load_plugin("decoder", "beam")
    expected = model.decode(FEATURES, beam)
    found = model.decode(FEATURES, "beam")
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_array_equal(found.log_probs, expected.log_probs)
    assert model.caption(FEATURES, "beam") == model.caption(FEATURES, beam)


def test_lists_are_arrays(model: Captioner) -> None:
    assert model.caption(FEATURES.tolist()) == model.caption(FEATURES)
    captions = [[1, 5, 6, 2, 0]] * 3
    loss = model.loss(FEATURES.tolist(), captions)  # type: ignore[arg-type]  # likewise
    assert loss == model.loss(FEATURES, np.array(captions))


def test_one_override_needs_no_list(file: Path) -> None:
    assert rnnkit.build(file, overrides="model.rnn[0].hidden=5").spec.model.rnn[0].hidden == 5
    assert rnnkit.read_spec(file, "train.epochs=3").train.epochs == 3
    assert rnnkit.parse_spec(SPEC, overrides="train.epochs=3").train.epochs == 3


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([[np.nan] * 6, [0.0] * 6, [np.inf] * 6], "the image features of rows 0, 2 are not all finite"),
        ([[0.0] * 6, [np.nan] * 6], "the image features of row 1 are not all finite"),
        (
            [0.0] * 6,
            "the image features have shape (6,), and this network takes (N, 6); of one image, give "
            "features[None]",
        ),
        ([[0.0] * 5], "the image features have shape (1, 5), and this network takes (N, 6)"),
        (0.0, "the image features have shape (), and this network takes (N, 6)"),
        ([[0.0] * 6, [0.0]], "the image features are no array: "),
        ([["a"] * 6], "and must be an array of numbers"),
        (None, "the image features are None, and must be an array of numbers"),
    ],
)  # fmt: skip
def test_features_that_are_none_are_told(model: Captioner, features: Any, said: str) -> None:
    for door in (model, rnnkit.Ensemble([model])):
        with pytest.raises(DataError) as caught:
            door.caption(features)
        assert said in str(caught.value)


def test_captions_that_are_no_tokens_are_told(model: Captioner) -> None:
    with pytest.raises(DataError, match="captions are float64, and must be tokens, which are int"):
        model.loss(FEATURES, np.ones((3, 4)))  # type: ignore[arg-type]  # which is the mistake


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        ("baem", "no decoder is called 'baem'; did you mean 'beam'?"),
        (3, "3 is no decoder: give the name of one, such as 'beam', or rnnkit.load_plugin("),
    ],
)
def test_what_is_no_decoder_is_told(model: Captioner, decoder: Any, said: str) -> None:
    with pytest.raises(RegistryError) as caught:
        model.caption(FEATURES, decoder)
    assert said in str(caught.value)


@pytest.mark.parametrize("given", [{}, None, 3, ["specs/lstm.toml"]])
def test_what_is_no_spec_is_told(given: Any, tmp_path: Path) -> None:
    said = " is no spec: give a TOML file, or what rnnkit.parse_spec makes of TOML text"
    with pytest.raises(SpecError) as caught:
        rnnkit.build(given)
    assert str(caught.value) == repr(given) + said
    if given is not None:
        with pytest.raises(SpecError) as caught:
            rnnkit.train(given, out=tmp_path / "run")
        assert str(caught.value) == repr(given) + said


def test_what_is_no_data_is_told(tmp_path: Path) -> None:
    wrong: Any = {"train": 1}
    spec = rnnkit.parse_spec(SPEC)
    said = "{'train': 1} is no data: give a data folder, or what rnnkit.open_data makes of it"
    with pytest.raises(DataError) as caught:
        rnnkit.build(spec, wrong)
    assert str(caught.value) == said
    with pytest.raises(DataError) as caught:
        rnnkit.train(spec, wrong, tmp_path / "run")
    assert str(caught.value) == said


def test_one_metric_is_told_to_be_in_a_list() -> None:
    with pytest.raises(RnnkitError, match=r"in a list, such as \['bleu'\], not as 'bleu'"):
        rnnkit.metrics.scores({1: "a man"}, {1: ["a man"]}, "bleu")


# 6*11 + 11 + 20*4 + (4 + 8 + 1)*4*8 + 8*5 + 5 + (5 + 3 + 1)*3 + 3*20 + 20 = 725
MODEL = """\
Captioner: 725 parameters, float32
  image     6 features -> affine -> 11
  inject    init
  words     20 words -> embedding -> 4
  rnn 0     4 -> lstm -> 8
  rnn 1     8 -> affine -> 5 -> tanh -> 5 -> vanilla -> 3
  head      3 -> affine -> 20
  captions  by beam(width=3, length_penalty=0.0), of at most 6 words"""

SECOND = """
[[model.rnn]]
hidden = 3
cell = "vanilla"
input = [{ use = "affine", units = 5 }, "tanh"]
[caption]
decoder = "beam"
"""


def test_a_model_says_what_it_is() -> None:
    model = rnnkit.build(rnnkit.parse_spec(SPEC + SECOND, overrides="model.words.dim=4"))
    assert repr(model) == MODEL
    assert repr(rnnkit.Ensemble([model, model])).splitlines() == [
        "Ensemble of 2: the mean of their probabilities",
        "  model 1  lstm + vanilla, 725 parameters",
        "  model 2  lstm + vanilla, 725 parameters",
    ]
    assert "array(" not in repr(model.body) + repr(model.head)


def test_a_notebook_shows_the_same_as_a_table(model: Captioner) -> None:
    title, *rows = repr(model).splitlines()
    told = ElementTree.fromstring(f"<div>{model._repr_html_()}</div>")
    assert told.findtext("b") == title
    cells = [[cell.text for cell in row] for row in told.iter("tr")]
    assert [re.split(" {2,}", row.strip()) for row in rows] == cells


def test_data_runs_and_results_say_what_they_are(tiny_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "<b>&\x1b[31m"
    shutil.copytree(tiny_data, folder)
    data = rnnkit.open_data(folder)
    train, val = data.split("train"), data.split("val")
    shown = f"{tmp_path}/<b>&\\x1b[31m"
    assert repr(data).splitlines() == [
        f"Dataset {shown}",
        f"  train       {train.images} images, {len(train.captions)} captions",
        f"  val         {val.images} images, {len(val.captions)} captions",
        f"  features    {data.feature_width} an image",
        f'  encoder     "rnnkit:scenes" (rnnkit {rnnkit.__version__})',
        f"  vocabulary  {len(data.vocabulary)} words",
        f"  captions    of at most {data.length} tokens, <START> and <END> included",
    ]
    assert "&lt;b&gt;&amp;\\x1b[31m" in data._repr_html_()
    assert repr(val) == (
        f"Split val: {val.images} images, {len(val.captions)} captions, "
        f"features of width {data.feature_width}"
    )

    overrides = ["data={}", "train.epochs=2"]
    run = rnnkit.train(rnnkit.parse_spec(SPEC, overrides=overrides), data, tmp_path / "run")
    last, size = run.history.records[-1], sum(w.size for w in run.model.parameters.values())
    *best, told, model = repr(run).splitlines()[1:]
    assert repr(run).startswith(f"Run {tmp_path}/run: finished\n")
    assert told == (
        f"  last   epoch 2, update {last.step}: perplexity {last.train_perplexity:.2f} on train, "
        f"{last.val_perplexity:.2f} on val"
    )
    assert model == f"  model  lstm, {size:,} parameters"
    assert len(best) == any(record.best for record in run.history.records)
    broken_off = attrs.evolve(run, finished=False)
    assert repr(broken_off).endswith(f"\n  go on  rnnkit.train(resume='{tmp_path}/run')")

    result = rnnkit.evaluate(run.model, data, metrics=[])
    assert repr(result).splitlines()[:4] == [
        f"Evaluation of val: {val.images} images, captioned by greedy",
        f"  captions by people  {result.references}",
        f"  nats per token      {result.nats:.4f}",
        f"  perplexity          {math.exp(result.nats):.2f}",
    ]


def trained(data: Path, out: Path, progress: bool | None) -> rnnkit.training.Run:
    spec = rnnkit.parse_spec(SPEC, overrides=["data={}", "train.epochs=2", "train.batch=8"])
    return rnnkit.train(spec, data, out, progress=progress)


def test_training_is_shown_if_that_is_wanted(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tiny_data, tmp_path / "run", True)
    said, titles, *rows = capsys.readouterr().out.splitlines()
    steps, size = run.history.records[-1].step, f"{run.model.size:,}"
    assert said == (
        f"a spec in memory: {size} parameters, {steps} updates of 8 captions, into {tmp_path}/run"
    )
    assert titles.split()[:3] == ["epoch", "update", "loss"]
    assert [row.split()[:3] for row in rows] == [
        [str(r.epoch), str(r.step), f"{r.train_loss:.3f}"] for r in run.history.records
    ]


def test_training_is_shown_by_default_where_somebody_looks_on(
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained(tiny_data, tmp_path / "file", None)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes everything a terminal
    trained(tiny_data, tmp_path / "off", False)
    assert capsys.readouterr() == ("", "")
    trained(tiny_data, tmp_path / "terminal", None)
    assert "updates of 8 captions, into" in capsys.readouterr().out


def test_a_notebook_is_looked_at_and_has_a_bar_with_ipywidgets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert display.is_wanted(None)
    assert not display.is_wanted(False)
    for there in (None, object()):
        monkeypatch.setattr("importlib.util.find_spec", lambda _, there=there: there)
        assert shows_bars(console()) is (there is not None)
