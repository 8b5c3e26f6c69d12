"""Captioners as ONNX: ONNX Runtime says what rnnkit says, and files that do not are refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

import rnnkit
from rnnkit.captioning.exporting import export_onnx
from rnnkit.captioning.exporting.onnx import elementwise
from rnnkit.captioning.exporting.onnx.scope import OPSET, Scope
from rnnkit.cli import app
from rnnkit.data.photos.identity import identity_of
from rnnkit.data.photos.pca import read_pca
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.errors import DataError
from rnnkit_builtin.encoders.onnx import Onnx
from rnnkit_builtin.encoders.scenes import Scenes
from tests.exports import (
    NODE_MODULES,
    OF_KIND,
    OF_PICTURES,
    agreement,
    encoder_file,
    images,
    network,
    texts_of_cells,
    with_encoder,
)

ROOT: Final = Path(__file__).parents[1]
CELLS: Final = dict(texts_of_cells("rnnkit"))


def run(file: Path, **inputs: Any) -> dict[str, Any]:
    """All outputs of a file, by name."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


HEAVY: Final = ("lstm", "gru", "gru-reset-before", "peephole-lstm", "vanilla", "pre")
"""Whose like is among the others."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.heavy if name in HEAVY else ())
        for name in (*CELLS, *OF_KIND)
    ],
)
def test_captions_are_those_of_rnnkit(name: str, tiny_data: Path, tmp_path: Path) -> None:
    model = network({**CELLS, **OF_KIND}[name], tiny_data)
    exported = export_onnx(model, tmp_path / "c.onnx", encoder=False)
    assert exported.difference < 1e-4
    features = images(tiny_data, 20)
    for batch in (1, 16):
        found = agreement(tmp_path / "c.onnx", model, features, batch)
        assert found.other == 0
        assert found.apart < 1e-4
    assert found.captions > 4


@pytest.mark.parametrize(
    ("decoder", "options"),
    [
        ("greedy", {}),
        pytest.param("greedy", {"no_repeat": 1}, marks=pytest.mark.heavy),
        ("greedy", {"no_repeat": 2}),
        pytest.param("beam", {"width": 3}, marks=pytest.mark.heavy),
        ("beam", {"width": 2, "length_penalty": 0.7, "no_repeat": 2}),
        ("beam", {"width": 60, "length_penalty": 1.0}),
    ],
)
def test_searches_find_what_the_decoders_do(
    decoder: str, options: dict[str, Any], tiny_data: Path, tmp_path: Path
) -> None:
    model = network(CELLS["lstm"], tiny_data)
    chosen = rnnkit.load_plugin("decoder", decoder, **options)
    model = attrs.evolve(
        model,
        spec=attrs.evolve(model.spec, caption=attrs.evolve(model.spec.caption, decoder=chosen)),
    )
    export_onnx(model, tmp_path / "c.onnx", beam=options.get("width"), encoder=False)
    features = images(tiny_data, 20)
    found, wanted = run(tmp_path / "c.onnx", features=features), model.decode(features)
    shape = (20, -1, found["tokens"].shape[-1])
    tokens, log_probs = found["tokens"].reshape(shape), found["log_probs"].reshape(20, -1)
    assert (log_probs.shape, tokens.shape[2]) == (wanted.log_probs.shape, wanted.tokens.shape[2])
    np.testing.assert_allclose(log_probs, wanted.log_probs, atol=1e-4)
    np.testing.assert_array_equal(tokens[:, :3], wanted.tokens[:, :3])
    each = found["token_log_probs"].reshape(shape).sum(axis=2)
    finite = np.isfinite(log_probs)
    np.testing.assert_allclose(each[finite], log_probs[finite], atol=1e-4)


def test_a_spec_that_searches_otherwise_is_told(tiny_data: Path, tmp_path: Path) -> None:
    text = CELLS["gru"] + '[caption]\ndecoder = { use = "beam", width = 2 }\n'
    model, notes = network(text, tiny_data), list[str]()
    export_onnx(model, tmp_path / "c.onnx", note=notes.append, encoder=False)
    assert notes == [
        "the spec captions by beam(width=2, length_penalty=0.0), and the file by greedy; --beam 2 is for the spec's"
    ]
    export_onnx(model, tmp_path / "c.onnx", beam=2, note=notes.append, encoder=False)
    assert len(notes) == 1


def test_no_images_have_no_captions(tiny_data: Path, tmp_path: Path) -> None:
    model = network(OF_KIND["pre"], tiny_data)
    none = np.zeros((0, model.feature_width), np.float32)
    assert model.decode(none).tokens.shape == (0, 1, 0)
    for beam, shape in ((None, (0, 0)), (2, (0, 2, 0))):
        export_onnx(model, tmp_path / "c.onnx", beam=beam, encoder=False)
        assert run(tmp_path / "c.onnx", features=none)["tokens"].shape == shape


def test_parts_are_what_a_search_of_ones_own_needs(tiny_data: Path, tmp_path: Path) -> None:
    model = network(CELLS["attention-lstm"], tiny_data)
    exported = export_onnx(model, tmp_path / "parts", parts=True, encoder=False)
    begin, step = exported.files
    features = images(tiny_data, 6)
    memory = run(begin, features=features)
    assert {name: a.shape for name, a in memory.items()} == {
        "state.0.h": (6, 24),
        "state.0.c": (6, 24),
        "state.0.A": (6, 24, 6),
    }
    wanted = model.begin(features)
    tokens = np.full(6, model.vocabulary.start)
    for _ in range(5):
        found = run(step, tokens=tokens, **memory)
        cell = model.spec.model.rnn[0].cell
        looked = cell.attention(wanted.states[0])
        assert looked is not None
        np.testing.assert_allclose(found["attention.0"], looked, atol=1e-5)
        log_probs, wanted = model.writing_step(tokens, wanted)
        np.testing.assert_allclose(found["log_probs"], log_probs, atol=1e-4)
        tokens = found["log_probs"].argmax(axis=1)
        memory = {name: found[f"next.{name}"] for name in memory}


def test_the_file_says_what_a_program_must_know(tiny_data: Path, tmp_path: Path) -> None:
    model = network(OF_KIND["characters"], tiny_data)
    export_onnx(model, tmp_path / "c.onnx", encoder=False)
    file = onnx.load(tmp_path / "c.onnx")
    about = {entry.key: entry.value for entry in file.metadata_props}
    assert json.loads(about["words"]) == list(model.vocabulary.words)
    assert json.loads(about["special"]) == {"null": 0, "start": 1, "end": 2, "unknown": 3}
    assert json.loads(about["joiner"]) == ""
    assert json.loads(about["limit"]) == model.length - 1
    assert about["decoder"] == "greedy"
    assert [(o.domain, o.version) for o in file.opset_import] == [("", OPSET)]
    assert not {node.domain for node in file.graph.node} - {""}


@pytest.mark.parametrize(
    ("layout", "pca", "options"),
    [
        pytest.param("nchw", False, {}, marks=pytest.mark.heavy),
        ("nchw", True, {"channels": "bgr", "mean": (100.0,), "scale": (50.0,)}),
        ("nhwc", False, {"fit": "crop", "interpolation": "bilinear"}),
        pytest.param("nhwc", True, {"fit": "pad"}, marks=pytest.mark.heavy),
    ],
)
def test_pixels_become_the_captions_of_photos(
    layout: str, pca: bool, options: dict[str, Any], tiny_data: Path, tmp_path: Path
) -> None:
    file = encoder_file(tmp_path, layout)
    model = network(OF_PICTURES.format(features=7 if pca else 36), None)
    model = with_encoder(model, pca, file=str(file), layout=layout, **options)
    exported = export_onnx(model, tmp_path / "c.onnx")
    assert exported.takes == "pixels (N, 10, 10, 3)"
    photos = sorted((tiny_data / "images" / "val").iterdir())[:4]
    assert model.pipeline is not None
    encoder = model.pipeline.encoder
    pixels = np.stack([encoder.prepare(np.asarray(Image.open(photo))) for photo in photos])
    tokens = run(tmp_path / "c.onnx", pixels=pixels)["tokens"]
    said = [model.vocabulary.decode(row) for row in tokens]
    assert said == model.caption_photos(photos, "greedy")
    about = {entry.key: entry.value for entry in onnx.load(tmp_path / "c.onnx").metadata_props}
    picture = json.loads(about["picture"])
    assert (picture["size"], picture["fit"]) == (10, options.get("fit", "squash"))


def test_an_encoder_that_is_no_network_is_left_out_and_told(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scenes, "in_onnx", lambda self: None)
    model = with_encoder(network(CELLS["gru"], tiny_data), False, "scenes")
    notes: list[str] = []
    exported = export_onnx(model, tmp_path / "c.onnx", note=notes.append)
    assert exported.takes == "features (N, 78)"
    (note,) = notes
    assert 'the encoder "rnnkit:scenes" (rnnkit 0.1.0) is no network in ONNX' in note


def test_scenes_are_captioned_from_pixels_by_an_encoder_that_is_traced(
    tiny_data: Path, tmp_path: Path
) -> None:
    model = with_encoder(network(CELLS["gru"], tiny_data), False, "scenes")
    assert export_onnx(model, tmp_path / "c.onnx").takes == "pixels (N, 64, 64, 3)"
    photos = sorted((tiny_data / "images").rglob("*.png"))
    pixels = np.stack([np.asarray(Image.open(photo).convert("RGB")) for photo in photos])
    tokens = run(tmp_path / "c.onnx", pixels=pixels)["tokens"]
    said = [model.vocabulary.decode(row) for row in tokens]
    assert said == model.caption_photos(photos, "greedy")
    assert len(set(said)) > 5


def test_another_encoder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Onnx.in_onnx
    monkeypatch.setattr(Onnx, "in_onnx", lambda self: attrs.evolve(right(self), channels="bgr"))
    model = network(OF_PICTURES.format(features=36), None)
    model = with_encoder(model, False, file=str(encoder_file(tmp_path, "nchw")))
    with pytest.raises(DataError, match=r"the encoder is another one in ONNX Runtime: feature \d+"):
        export_onnx(model, tmp_path / "c.onnx")
    assert not (tmp_path / "c.onnx").exists()


def test_an_encoder_with_operators_of_others_is_refused(tmp_path: Path) -> None:
    file = encoder_file(tmp_path, "nchw")
    odd = onnx.load(file)
    odd.graph.node.insert(
        1, onnx.helper.make_node("Gelu", ["add_1"], ["odd"], domain="com.microsoft")
    )
    odd.graph.node[2].input[0] = "odd"
    odd.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(odd, file)
    model = network(OF_PICTURES.format(features=36), None)
    model = with_encoder(model, False, file=str(file))
    with pytest.raises(DataError, match=r"has operators of com\.microsoft"):
        export_onnx(model, tmp_path / "c.onnx")
    assert not (tmp_path / "c.onnx").exists()
    assert export_onnx(model, tmp_path / "c.onnx", encoder=False).takes == "features (N, 36)"


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        (
            "tanh",
            "Sin",
            r"the state [hc] of recurrent layer 0 \(lstm\) differs by \S+ after word 1",
        ),
        ("sigmoid", "HardSigmoid", r"the state [hc] of recurrent layer 0 \(lstm\) differs"),
    ],
)
def test_another_network_is_refused_with_its_place(
    name: str,
    wrong: str,
    said: str,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(elementwise.FLOATS, name, elementwise.direct(wrong))
    with pytest.raises(DataError, match=said):
        export_onnx(network(CELLS["lstm"], tiny_data), tmp_path / "c.onnx", encoder=False)
    assert list(tmp_path.iterdir()) == []


def lower(kind: str) -> Callable[..., str]:
    """`Scope.op` that takes the smallest for the largest in the search."""
    original = Scope.op

    def op(self: Scope, name: str, *inputs: str, **attributes: Any) -> str:
        return original(self, "ArgMin" if name == kind else name, *inputs, **attributes)

    return op


def test_another_search_is_refused_with_its_place(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scope, "op", lower("ArgMax"))
    with pytest.raises(DataError, match=r"word 1 of a caption of image \d+ has log probability"):
        export_onnx(network(CELLS["lstm"], tiny_data), tmp_path / "c.onnx", encoder=False)


def test_a_plugin_that_cannot_be_traced_is_told_with_its_line(tmp_path: Path) -> None:
    plugin = tmp_path / "hard.py"
    plugin.write_text(
        "import attrs\n"
        "import numpy as np\n"
        "from rnnkit.kinds import Activation, Array\n"
        "@attrs.frozen\n"
        "class Hard(Activation):\n"
        "    def forward(self, x: Array) -> tuple[Array, Array]:\n"
        "        return (x if x.sum() > 0 else -x), x\n"
        "    def backward(self, dy: Array, saved: Array) -> Array:\n"
        "        return dy\n"
    )
    code = (
        "import sys, pathlib, attrs; sys.path.insert(0, sys.argv[1])\n"
        "import rnnkit\n"
        "from hard import Hard\n"
        "from rnnkit.captioning.exporting import export_onnx\n"
        "from rnnkit.errors import TraceError\n"
        "spec = rnnkit.parse_spec('[data]\\nfeatures=4\\nvocabulary=9\\nlength=5\\n[[model.rnn]]\\nhidden=4\\ncell=\"gru\"')\n"
        "model = attrs.evolve(spec.model, head=(Hard(), *spec.model.head))\n"
        "try: export_onnx(rnnkit.build(attrs.evolve(spec, model=model)), pathlib.Path('c.onnx'))\n"
        "except TraceError as e: print(e)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert f"{plugin}:7: what it does next depends on the numbers in an array" in ran.stdout


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], list[str]]:
    """A file that takes pixels, photos of the size that it takes, and what rnnkit says of them."""
    folder = tmp_path_factory.mktemp("pictures")
    file = encoder_file(folder, "nchw")
    model = network(OF_PICTURES.format(features=36), None)
    model = with_encoder(model, False, file=str(file))
    rnnkit.save(model, folder / "m.h5")
    export_onnx(model, folder / "c.onnx")
    photos = []
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 256, (10, 10, 3), np.uint8)
        photos.append(folder / f"{k}.png")
        Image.fromarray(pixels).save(photos[-1])
    return folder / "c.onnx", photos, model.caption_photos(photos, "greedy")


def printed(photos: list[Path], captions: list[str]) -> list[str]:
    return [f"{photo}: {caption}" for photo, caption in zip(photos, captions, strict=True)]


def test_the_example_in_python_captions_photos(
    pictures: tuple[Path, list[Path], list[str]],
) -> None:
    file, photos, captions = pictures
    example = ROOT / "examples/onnx/caption.py"
    ran = subprocess.run(
        [sys.executable, str(example), str(file), *map(str, photos)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == printed(photos, captions)


@pytest.mark.parametrize("search", ["greedy", pytest.param("beam", marks=pytest.mark.heavy)])
def test_the_example_in_javascript_captions_photos(
    search: str, pictures: tuple[Path, list[Path], list[str]], tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    if not (NODE_MODULES / "onnxruntime-web").is_dir():
        pytest.skip("the packages of the example are not installed: .ci/node installs them")
    file, photos, captions = pictures
    if search == "beam":
        model = rnnkit.load(file.with_name("m.h5"))
        file, captions = tmp_path / "beam.onnx", model.caption_photos(photos, "beam")
        export_onnx(model, file, beam=3)
    example = ROOT / "examples/onnx/caption.mjs"
    ran = subprocess.run(
        [node, str(example), str(file), *map(str, photos)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == printed(photos, captions)


def test_the_command_exports_and_says_what_was_compared(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.save(rnnkit.build(spec, tiny_data), tmp_path / "m.h5")
    model, out = str(tmp_path / "m.h5"), str(tmp_path / "c.onnx")
    ran = CliRunner().invoke(app, ["export", model, out, "--beam", "2", "--data", str(tiny_data)])
    assert ran.exit_code == 0, ran.output
    first, second = ran.stdout.splitlines()
    assert first == (
        f"wrote {out}: features (N, 78) -> captions, by beam(width=2, length_penalty=0.0)"
    )
    assert second.startswith("compared with ONNX Runtime on 32 images: largest difference ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["c.onx"], "c.onx is not the name of a file to export to"),
        (["c.onnx", "--length-penalty", "1"], "a length penalty is for a beam"),
        (["parts", "--parts", "--beam", "2"], "--beam is for the file of a whole captioner"),
        ([], "name one file to write"),
    ],
)
def test_what_does_not_fit_is_told(
    words: list[str], said: str, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.save(rnnkit.build(spec, tiny_data), tmp_path / "m.h5")
    ran = CliRunner().invoke(app, ["export", f"{tmp_path}/m.h5", *words])
    assert said in str(ran.exception)


@pytest.mark.parametrize(
    ("module", "out", "said"),
    [
        ("rnnkit.captioning.exporting.onnx.making", "c.onnx", 'pip install "rnnkit[onnx]"'),
        ("safetensors.numpy", "c.safetensors", 'pip install "rnnkit[safetensors]"'),
    ],
)
def test_an_extra_that_is_missing_is_named(
    module: str,
    out: str,
    said: str,
    spec: Path,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rnnkit.save(rnnkit.build(spec, tiny_data), tmp_path / "m.h5")
    monkeypatch.setitem(sys.modules, module, None)
    ran = CliRunner().invoke(app, ["export", f"{tmp_path}/m.h5", f"{tmp_path}/{out}"])
    assert said in str(ran.exception)


def test_jpeg_photos_are_captioned_by_one_file_with_encoder_and_projection(
    real_data: Path, tmp_path: Path
) -> None:
    flickr = real_data / "flickr8k"
    spec = (ROOT / "specs/flickr8k-lstm.toml").read_text().replace("hidden = 512", "hidden = 64")
    model = network(spec, flickr)
    encoder = rnnkit.load_plugin("encoder", "efficientnet-lite0")
    pipeline = ImagePipeline(identity_of(encoder), read_pca(flickr / "pca.h5"))
    model = attrs.evolve(model, pipeline=pipeline)
    exported = export_onnx(model, tmp_path / "c.onnx")
    assert exported.takes == "pixels (N, 224, 224, 3)"
    photos = sorted((real_data / "sample_cc_by").rglob("*.jpg"))[:6]
    said = model.caption_photos(photos, "greedy")
    assert len(set(said)) > 3
    ran = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples/onnx/caption.py"),
            f"{tmp_path}/c.onnx",
            *map(str, photos),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == printed(photos, said)
