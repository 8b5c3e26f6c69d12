"""From a photo to its caption: a model knows which encoder, and what else, made its image features."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
import sys
from pathlib import Path

import attrs
import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from rnnkit.captioning.images import check_fits
from rnnkit.captioning.photos import find_photos
from rnnkit.cli import app
from rnnkit.data import open_data
from rnnkit.data.photos.pca import PCA
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.errors import CheckpointError, DataError, RegistryError
from rnnkit.network.checkpoint import load_model, save_model
from rnnkit.network.model import Captioner

GONE = '"nobodys:eyes"'


@pytest.fixture(scope="module")
def run(small_run: Path) -> Path:
    return small_run


@pytest.fixture(scope="module")
def model(run: Path) -> Captioner:
    return load_model(run)


def rnnkit(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def of_split(data: Path, model: Captioner) -> list[str]:
    """The captions by the features that the data folder has."""
    with open_data(data) as dataset:
        features = dataset.split("val").features
        return model.caption(features.rows(np.arange(len(features)), model.dtype))


def test_the_pictures_of_the_demo_have_the_features_of_its_folder(tiny_data: Path) -> None:
    with open_data(tiny_data) as dataset:
        assert dataset.pipeline is not None
        for split in dataset.splits.values():
            assert split.pictures is not None
            stored = split.features.rows(np.arange(split.images), np.dtype(np.float32))
            np.testing.assert_allclose(
                dataset.pipeline.features(split.pictures), stored, rtol=0, atol=1e-5
            )


def test_paths_pictures_and_arrays_are_captioned_as_their_features_are(
    tiny_data: Path, model: Captioner
) -> None:
    wanted = of_split(tiny_data, model)
    paths = sorted((tiny_data / "images" / "val").iterdir())
    opened = [Image.open(path) for path in paths]
    assert model.caption_photos(paths) == wanted
    assert model.caption_photos(opened) == wanted
    assert model.caption_photos([np.array(picture) for picture in opened]) == wanted
    assert model.caption_photos([]) == []
    with pytest.raises(DataError, match="photos are a list, even of one"):
        model.caption_photos(str(paths[0]))


def test_a_projection_is_subtracted_multiplied_and_scaled(tiny_data: Path) -> None:
    rng = np.random.default_rng(0)
    with open_data(tiny_data) as dataset:
        assert dataset.pipeline is not None
        bare = ImagePipeline(dataset.pipeline.identity)
    path = tiny_data / "images" / "val" / "00003.png"
    x = bare.features([path])[0].astype(float)
    mean, components = rng.normal(size=78), rng.normal(size=(5, 78))
    reduced = ImagePipeline(bare.identity, PCA(mean, components, 0.5))
    wanted = [
        0.5 * sum(c * (a - m) for c, a, m in zip(r, x, mean, strict=True)) for r in components
    ]
    np.testing.assert_allclose(reduced.features([path]), [wanted], rtol=1e-5)
    assert (bare.width, reduced.width) == (78, 5)


def test_a_projection_of_a_model_file_has_arrays_that_fit(tiny_data: Path) -> None:
    with open_data(tiny_data) as dataset:
        pipeline = dataset.pipeline
    assert pipeline is not None
    arrays = pipeline.arrays
    assert ImagePipeline.of(pipeline.identity, arrays).difference(pipeline) is None
    for name in arrays:
        with pytest.raises(
            ValueError, match=r"the PCA has mean \(.*, not \(F,\), \(K, F\) and one number"
        ):
            ImagePipeline.of(pipeline.identity, {**arrays, name: arrays[name][None]})
        for odd in (np.nan, np.inf):
            spoilt = arrays[name].copy()
            spoilt.flat[-1] = odd
            with pytest.raises(ValueError, match=f"in its {name} that are not finite"):
                ImagePipeline.of(pipeline.identity, {**arrays, name: spoilt})


def test_a_projection_of_a_model_file_fits_its_encoder_and_its_network(
    model: Captioner, tmp_path: Path
) -> None:
    pipeline = model.pipeline
    assert pipeline is not None
    assert pipeline.pca is not None
    arrays = pipeline.arrays
    with pytest.raises(ValueError, match=r"the PCA takes features of width \d+, and the encoder's"):
        ImagePipeline.of(
            pipeline.identity,
            {**arrays, "mean": arrays["mean"][1:], "components": arrays["components"][:, 1:]},
        )
    narrow = attrs.evolve(pipeline.pca, components=pipeline.pca.components[:1])
    save_model(attrs.evolve(model, pipeline=attrs.evolve(pipeline, pca=narrow)), tmp_path / "m.h5")
    with pytest.raises(
        CheckpointError, match=r"features of width 1 by its encoder and PCA, but its network takes"
    ):
        load_model(tmp_path / "m.h5")


def test_a_model_file_keeps_the_encoder_and_the_projection(
    model: Captioner, tmp_path: Path, tiny_data: Path
) -> None:
    save_model(model, tmp_path / "m.h5")
    before, after = model.pipeline, load_model(tmp_path / "m.h5").pipeline
    assert before is not None
    assert after is not None
    assert after.identity == before.identity
    assert before.difference(after) is None
    with h5py.File(tiny_data / "pca.h5") as file:
        for name, array in after.arrays.items():
            np.testing.assert_array_equal(array, file[name][()])


def test_a_model_whose_encoder_is_gone_loads_and_captions_features(
    model: Captioner, tmp_path: Path, tiny_data: Path
) -> None:
    assert model.pipeline is not None
    identity = attrs.evolve(model.pipeline.identity, encoder=GONE)
    lost = attrs.evolve(model, pipeline=attrs.evolve(model.pipeline, identity=identity))
    save_model(lost, tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5")
    assert of_split(tiny_data, loaded) == of_split(tiny_data, model)
    with pytest.raises(RegistryError, match="nobodys:eyes"):
        loaded.caption_photos([tiny_data / "images" / "val" / "00000.png"])


def test_features_of_another_encoder_or_projection_are_refused(
    model: Captioner, tiny_data: Path
) -> None:
    with open_data(tiny_data) as dataset:
        check_fits(model, dataset)
        assert dataset.pipeline is not None
        identity, pca = dataset.pipeline.identity, dataset.pipeline.pca
        assert pca is not None
        newer = ImagePipeline(attrs.evolve(identity, version="9"), pca)
        check_fits(model, attrs.evolve(dataset, pipeline=newer))
        for pipeline, what in (
            (ImagePipeline(attrs.evolve(identity, encoder=GONE), pca), "nobodys:eyes"),
            (ImagePipeline(attrs.evolve(identity, digest="00"), pca), "other weights"),
            (ImagePipeline(identity), "raw"),
            (ImagePipeline(identity, attrs.evolve(pca, scale=2.0)), "another PCA"),
        ):
            with pytest.raises(DataError, match=what):
                check_fits(model, attrs.evolve(dataset, pipeline=pipeline))


def test_a_model_without_an_encoder_says_the_way_out_which_works(
    tiny_data: Path, tmp_path: Path, model: Captioner
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "encoder.json").unlink()
    photo = data / "images" / "val" / "00000.png"
    save_model(attrs.evolve(model, pipeline=None, seen=None), tmp_path / "m.h5")
    refused = rnnkit("caption", tmp_path / "m.h5", photo, "--data", data)
    assert isinstance(refused.exception, DataError)
    assert "rnnkit data describe DIR --encoder NAME" in str(refused.exception)
    assert rnnkit("data", "describe", data, "--encoder", "scenes").exit_code == 0
    said = rnnkit("caption", tmp_path / "m.h5", photo, "--data", data, "--json")
    assert [one["caption"] for one in json.loads(said.stdout)] == of_split(data, model)[:1]


def test_describing_looks_at_the_photos(tiny_data: Path, tmp_path: Path) -> None:
    data = shutil.copytree(tiny_data, tmp_path / "data")
    done = rnnkit("data", "describe", data, "--encoder", "scenes")
    assert "the features of 16 photos" in " ".join(done.stdout.split())
    pictures = sorted((data / "images" / "val").iterdir())
    for a, b in itertools.pairwise(pictures):
        shutil.copy(b, a)
    refused = rnnkit("data", "describe", data, "--encoder", "scenes")
    assert "png has other features" in str(refused.exception)
    shutil.rmtree(data / "images")
    unchecked = rnnkit("data", "describe", data, "--encoder", "scenes")
    assert unchecked.exit_code == 0
    assert "not checked" in unchecked.output


def test_folders_and_patterns_are_their_photos_by_name(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/1.jpg", "b/c/3.webp", "b/notes.txt", "a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(*places: str) -> list[str]:
        photos = find_photos(tmp_path / place for place in places)
        return [photo.relative_to(tmp_path).as_posix() for photo in photos]

    assert found("b") == ["b/1.jpg", "b/2.PNG", "b/c/3.webp"]
    assert found("b/*.jpg", "a.png", "b/1.jpg") == ["b/1.jpg", "a.png"]
    (tmp_path / "empty").mkdir()
    for place in ("none.png", "*.gif", "empty"):
        with pytest.raises(DataError, match=r"is not there|has no photo"):
            found(place)


def test_captions_are_printed_as_lines_json_and_csv(
    run: Path, tiny_data: Path, model: Captioner
) -> None:
    photos = tiny_data / "images" / "val"
    wanted = of_split(tiny_data, model)
    lines = rnnkit("caption", run, photos).stdout.splitlines()
    assert [line.strip().rpartition("  [")[0] for line in lines[1::2]] == wanted
    found = json.loads(rnnkit("caption", run, photos, "--json").stdout)
    assert [one["caption"] for one in found] == wanted
    assert [Path(one["picture"]).name for one in found] == [f"{i:05}.png" for i in range(8)]
    table = rnnkit("caption", run, f"{photos}/*.png", "--csv").stdout
    assert [row["caption"] for row in csv.DictReader(io.StringIO(table))] == wanted
    features = rnnkit("caption", run, "--features", tiny_data / "features_val.h5", "--csv").stdout
    assert [row["caption"] for row in csv.DictReader(io.StringIO(features))] == wanted
    assert json.loads(rnnkit("caption", run, run, photos, "--json").stdout)[7]["caption"]


def test_a_photo_that_cannot_be_read_is_told_and_left_out(
    run: Path, tiny_data: Path, tmp_path: Path
) -> None:
    photos = shutil.copytree(tiny_data / "images" / "val", tmp_path / "photos")
    (photos / "00001.png").write_text("no picture")
    told = rnnkit("caption", run, photos, "--json")
    assert [one["image"] for one in json.loads(told.stdout)] == [0, 2, 3, 4, 5, 6, 7]
    assert "00001.png" in told.stderr
    alone = rnnkit("caption", run, photos / "00001.png")
    assert "00001.png is not a picture" in str(alone.exception)


def test_what_is_not_installed_is_no_fault_of_the_photos(
    run: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tiny_data / "images" / "val"
    out = ("--out", tmp_path / "data", "--encoder", "scenes")
    monkeypatch.setitem(sys.modules, "PIL", None)
    for words in (
        ("caption", run, photos),
        (
            "data",
            "prepare",
            "--images",
            photos,
            "--captions",
            tiny_data / "captions_val.json",
            *out,
        ),
    ):
        told = rnnkit(*words)
        assert told.stderr == ""
        assert str(told.exception) == 'pictures need Pillow: pip install "rnnkit[photos]"'


def test_the_page_has_each_picture_with_its_caption(
    run: Path, tiny_data: Path, tmp_path: Path, model: Captioner
) -> None:
    photos = shutil.copytree(tiny_data / "images" / "val", tmp_path / "<b>photos")
    assert rnnkit("caption", run, photos, "--html", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 8
    for caption in of_split(tiny_data, model):
        assert caption in page
    assert "<b>photos" not in page
    assert "&lt;b&gt;photos" in page
