"""Feature maps: whatever their layout in a file, networks take them channels first; and nothing is guessed in silence."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

import rnnkit
from rnnkit.captioning.images import caption_split
from rnnkit.cli import app
from rnnkit.data import open_data
from rnnkit.data.features import open_features
from rnnkit.data.preparing.prepare import prepare
from rnnkit.errors import DataError, SpecError
from rnnkit.network.checkpoint import load_model, save_model
from rnnkit.network.maps import about_features

C, H, W = 6, 3, 3
N = 40
WORDS = ["boat", "horse", "dog", "child"]

SPEC = """
[model]
image = { use = "regions", units = 8, count = 9 }
words = { use = "embedding", dim = 4 }
[[model.rnn]]
hidden = 8
cell = { use = "attention-lstm", regions = 9 }
[train]
epochs = 2
batch = 8
optimizer = { use = "adam", learning_rate = 5e-3 }
"""

ORDERS = {
    "chw": (0, 1, 2, 3),
    "hwc": (0, 2, 3, 1),
}


def maps() -> npt.NDArray[np.float32]:
    """(N, C, H, W)"""
    return np.random.default_rng(3).normal(size=(N, C, H, W)).astype(np.float32)


def stored(layout: str) -> npt.NDArray[np.float32]:
    if layout == "lc":
        return np.ascontiguousarray(maps().reshape(N, C, H * W).swapaxes(1, 2))
    if layout == "flat":
        return maps().reshape(N, -1)
    return np.ascontiguousarray(maps().transpose(ORDERS[layout]))


def made(folder: Path, layout: str, say: bool = True, suffix: str = ".npy") -> Path:
    """A folder made of maps in this layout, which is said to `prepare`, or left to the shape."""
    folder.mkdir()
    captions = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(N)],
        "annotations": [
            {"image_id": i, "caption": f"a {WORDS[i % 4]} there"} for i in range(N) for _ in "ab"
        ],
    }
    (folder / "captions.json").write_text(json.dumps(captions))
    features = folder / f"features{suffix}"
    if suffix == ".npy":
        np.save(features, stored(layout))
    else:
        with h5py.File(features, "w") as file:
            file["features"] = stored(layout)
    prepare(
        folder / "captions.json",
        features,
        folder / "data",
        val=0.25,
        min_count=1,
        layout=layout if say and layout != "flat" else None,
    )
    return folder / "data"


def loss(folder: Path, run: Path) -> tuple[float | None, dict[str, bytes]]:
    trained = rnnkit.train(rnnkit.parse_spec(SPEC), folder, run)
    values = {name: w.tobytes() for name, w in trained.model.parameters.items()}
    return trained.history.records[-1].val_nats, values


@pytest.mark.parametrize("layout", ["hwc", "lc", "flat"])
def test_training_is_the_same_to_the_bit_in_every_layout(layout: str, tmp_path: Path) -> None:
    first = loss(made(tmp_path / "chw", "chw"), tmp_path / "run chw")
    assert loss(made(tmp_path / layout, layout), tmp_path / "run") == first


@pytest.mark.parametrize("bytes_held", [0, 2**20])
@pytest.mark.parametrize("suffix", [".npy", ".h5"])
@pytest.mark.parametrize("layout", ["chw", "hwc", "lc"])
def test_a_folder_keeps_maps_as_they_came_and_gives_them_channels_first(
    layout: str, suffix: str, bytes_held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", bytes_held)
    monkeypatch.setattr("rnnkit.data.features.in_files.READ_BYTES", 3 * C * H * W * 4)
    folder = made(tmp_path / "x", layout, suffix=suffix)
    with h5py.File(folder / "features_train.h5") as file:
        assert file["features"].shape[1:] == stored(layout).shape[1:]
        assert file["features"].attrs["layout"] == layout
    rows = np.array([5, 0, 5, 17, 29])
    with open_data(folder) as dataset:
        split = dataset.split("train")
        assert split.features.held == (bytes_held > 0)
        assert split.pictures is not None
        images = [int(Path(name).stem) for name in split.pictures]
        wanted = maps().reshape(N, -1)[[images[row] for row in rows]]
        np.testing.assert_array_equal(split.features.rows(rows, np.dtype(np.float32)), wanted)
        (batch,) = split.features.batches([rows], np.dtype(np.float32))
        np.testing.assert_array_equal(batch, wanted)


def file_of(path: Path, shape: tuple[int, ...], layout: str | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file["features"] = np.ones(shape, np.float32)
        if layout is not None:
            file["features"].attrs["layout"] = layout
    return path


@pytest.mark.parametrize(
    ("row", "said", "layout", "channels", "guessed"),
    [
        ((16, 4, 4), None, "chw", 16, True),
        ((4, 4, 16), None, "hwc", 16, True),
        ((49, 20), None, "lc", 20, True),
        ((20, 49), None, "cl", 20, True),
        ((4, 4, 4), None, "chw", 4, True),  # as folders had it before they knew layouts
        ((4, 4, 4), "hwc", "hwc", 4, False),
        ((2, 3, 5), "hwc", "hwc", 5, False),
        ((36, 16), "lc", "lc", 16, False),
        ((36, 16), "chw", "cl", 36, False),
    ],
)
def test_an_opened_file_says_what_its_maps_are(
    row: tuple[int, ...],
    said: str | None,
    layout: str,
    channels: int,
    guessed: bool,
    tmp_path: Path,
) -> None:
    found = open_features(file_of(tmp_path / "a.h5", (2, *row), said)).map
    assert found is not None
    assert (found.layout, found.channels, found.guessed) == (layout, channels, guessed)


def test_flat_features_are_no_map(tmp_path: Path) -> None:
    assert open_features(file_of(tmp_path / "a.h5", (2, 48))).map is None


def test_a_file_that_does_not_tell_its_channels_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_features(file_of(tmp_path / "a.h5", (2, 36, 16)))
    assert "do not tell which axis is the channels: say cl if it is the first, lc" in str(
        caught.value
    )
    assert '["features"].attrs["layout"] = ".."' in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 4, 4), (7, 9, 5)])
def test_prepare_asks_where_two_orders_fit_or_none(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.ones((N, *shape), np.float32))
    captions = {"images": [{"id": 0, "file_name": "0"}], "annotations": []}
    (tmp_path / "c.json").write_text(json.dumps(captions))
    with pytest.raises(DataError, match=r"say chw if it is the first, hwc .*, with --layout"):
        prepare(tmp_path / "c.json", tmp_path / "f.npy", tmp_path / "out")


@pytest.mark.parametrize(
    ("shape", "layout", "text"),
    [
        ((4, 4, 4), "cwh", "the layout is 'cwh', but must be chw, hwc or lc"),
        ((12,), "chw", r"rows of shape \(12,\) have no layout chw"),
    ],
)
def test_a_layout_that_does_not_fit_is_told(
    shape: tuple[int, ...], layout: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=text):
        open_features(file_of(tmp_path / "a.h5", (2, *shape), layout))


def test_a_guess_and_an_assumption_are_said(tmp_path: Path) -> None:
    guessed = made(tmp_path / "x", "hwc")
    for split in ("train", "val"):
        with h5py.File(guessed / f"features_{split}.h5", "r+") as file:
            del file["features"].attrs["layout"]
    spec = rnnkit.parse_spec(SPEC)
    with open_data(guessed) as dataset:
        assert about_features(rnnkit.build(spec, dataset), dataset) == (
            "the features do not say their layout: by their shape they are taken as 6 channels in 3 x 3 regions, "
            "last axis channels (hwc)"
        )
    warnings: list[str] = []
    flat = made(tmp_path / "flat", "flat")
    rnnkit.train(spec, flat, tmp_path / "run", on_warning=warnings.append)
    (assumed,) = [text for text in warnings if "flat" in text]
    assert assumed.startswith(
        "the features are flat, with 54 numbers, and are taken as maps of 6 channels in 9 regions, channels first"
    )
    (tmp_path / "s.toml").write_text(SPEC)
    shown = CliRunner().invoke(app, ["build", str(tmp_path / "s.toml"), "--data", str(flat)])
    assert f"warning: {assumed}" in shown.output
    with open_data(made(tmp_path / "chw", "chw")) as dataset:
        assert about_features(rnnkit.build(spec, dataset), dataset) is None


def test_a_layer_with_other_regions_than_the_maps_is_told(tmp_path: Path) -> None:
    folder = made(tmp_path / "x", "chw")
    text = SPEC.replace("count = 9", "count = 6")
    with pytest.raises(SpecError, match="maps with 3 x 3 = 9 regions, but 6 are taken here; say 9"):
        rnnkit.build(rnnkit.parse_spec(text), folder)
    text = SPEC.replace("units = 8", "units = 4").replace("regions = 9", "regions = 4")
    text = text.replace("hidden = 8", "hidden = 9")
    with pytest.raises(
        SpecError, match="the image comes in 9 regions, but 4 are taken here; say 9"
    ):
        rnnkit.build(rnnkit.parse_spec(text), folder)


def test_a_model_knows_the_maps_it_takes(tmp_path: Path) -> None:
    model = rnnkit.build(rnnkit.parse_spec(SPEC), made(tmp_path / "chw", "chw"))
    save_model(model, tmp_path / "m.h5")
    read = load_model(tmp_path / "m.h5")
    assert read.map == (C, H, W)
    with open_data(made(tmp_path / "lc", "lc")) as other:
        assert [c.caption for c in caption_split(read, other)] == [
            c.caption for c in caption_split(model, other)
        ]
    with (
        open_data(made(tmp_path / "flat", "flat")) as flat,
        pytest.raises(
            DataError, match="has flat features, whose order nobody knows, but the model"
        ),
    ):
        caption_split(read, flat)


def test_a_model_of_before_takes_maps_of_a_known_layout_only(tmp_path: Path) -> None:
    flat = made(tmp_path / "flat", "flat")
    before = rnnkit.build(rnnkit.parse_spec(SPEC), flat)
    assert before.map is None
    folder = made(tmp_path / "x", "hwc")
    with open_data(flat) as one, open_data(folder) as other:
        assert [c.log_prob for c in caption_split(before, one)] == [
            c.log_prob for c in caption_split(before, other)
        ]
    for split in ("train", "val"):
        with h5py.File(folder / f"features_{split}.h5", "r+") as file:
            del file["features"].attrs["layout"]
    with (
        open_data(folder) as other,
        pytest.raises(DataError, match="by their shape are hwc, but the model was trained without"),
    ):
        caption_split(before, other)


def test_the_command_says_what_the_maps_are(tmp_path: Path) -> None:
    made(tmp_path / "x", "hwc")
    arguments = ["data", "prepare", "--captions", str(tmp_path / "x" / "captions.json")]
    arguments += ["--features", str(tmp_path / "x" / "features.npy"), "--val", "0.2"]
    shown = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "y")])
    assert (
        "features are maps of 6 channels in 3 x 3 regions, in the layout hwc, to judge by its shape: only so"
    ) in " ".join(shown.output.split())
    refused = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "z"), "--pca", "2"])
    assert isinstance(refused.exception, DataError)
    assert "which a PCA would mix; leave --pca out" in str(refused.exception)
