"""A folder of static files captions photos in a real browser, as rnnkit captions them, and asks nobody else."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import rnnkit
from rnnkit.captioning.attention import looks
from rnnkit.captioning.exporting import export_web
from rnnkit.cli import app
from rnnkit.data.photos import fit_picture
from rnnkit.errors import DataError
from rnnkit_builtin.encoders.scenes import Scenes
from tests import browser
from tests.exports import NODE_MODULES, encoder_file, network, with_encoder

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNTIME = NODE_MODULES / "onnxruntime-web" / "dist"

LOOKING = """
[data]
features = 36
vocabulary = 20
length = 9
[model]
image = { use = "regions", count = 9 }
words = { use = "embedding", dim = 8 }
[[model.rnn]]
hidden = 12
cell = { use = "attention-lstm", regions = 9 }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that looks at 3 x 3 regions of a photo, made small with a filter that is widened."""
    folder = tmp_path_factory.mktemp("model")
    file = encoder_file(folder, "nchw")
    found = with_encoder(network(LOOKING, None), False, file=str(file), fit="crop", shorter=14)
    rnnkit.save(found, folder / "looking.h5")
    return folder / "looking.h5"


@pytest.fixture(scope="module")
def address(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a plain file server has the folder."""
    if not RUNTIME.is_dir():
        pytest.skip("ONNX Runtime for browsers is not installed: .ci/node installs it")
    folder = tmp_path_factory.mktemp("web") / "page"
    export_web(model, folder, RUNTIME)

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def photos(tiny_data: Path, tmp_path: Path) -> list[Path]:
    """Two pictures, and a photo whose camera lay on its side."""
    lying = tmp_path / "lying.jpg"
    picture = Image.open(tiny_data / "images" / "val" / "00002.png").convert("RGB").resize((90, 61))
    notes = Image.Exif()
    notes[274] = 6
    picture.save(lying, exif=notes, quality=95)
    return [*sorted((tiny_data / "images" / "val").iterdir())[:2], lying]


def said(model: Path, photo: Path, decoder: str, n_best: int) -> dict[str, Any]:
    """What `rnnkit caption` says of a photo."""
    words = ["caption", str(model), str(photo), "--json", "--decoder", decoder]
    told = CliRunner().invoke(app, [*words, "--n-best", str(n_best)])
    assert told.exit_code == 0, told.output
    (found,) = json.loads(told.stdout)
    return dict(found)


def caption_on(page: Page) -> str:
    found: str = page.locator(".said").first.evaluate(
        "said => [...said.children].map(word => word.firstChild.data).join(' ')"
    )
    return found


def choose(page: Page, photo: Path) -> None:
    page.get_by_label("Choose a photo").set_input_files(photo)


def give(page: Page, photo: Path, way: Callable[[Page, Path], None]) -> None:
    """Hand the page a photo, and wait for its caption."""
    page.evaluate("document.querySelector('.facts').hidden = true")
    way(page, photo)
    page.locator(".facts").wait_for()
    page.locator("#page:not([aria-busy])").wait_for()


def test_the_browser_says_what_rnnkit_says(
    address: str, model: Path, photos: list[Path], tab: browser.Tab
) -> None:
    tab.show(address)
    page = tab.page
    for name, decoder, n_best, way in (
        ("greedy", "greedy", 1, browser.drop),
        ("beam", "{ use = 'beam', width = 3 }", 3, choose),
    ):
        page.get_by_role("radio", name=name).check()
        for photo in photos:
            give(page, photo, way)
            wanted = said(model, photo, decoder, n_best)
            assert caption_on(page) == wanted["caption"]
            assert page.locator(".looks li").count() == len(wanted["caption"].split())
            best = [(wanted["caption"], wanted["log_prob"]), *map(tuple, wanted["others"])]
            for row, (caption, log_prob) in zip(page.locator(".best li").all(), best, strict=True):
                assert row.locator("span").inner_text() == caption
                shown = row.locator("data").get_attribute("value")
                assert float(shown or "nan") == pytest.approx(log_prob, abs=1e-4)
    assert tab.heard.complaints == []
    assert tab.heard.asked
    assert all(asked.startswith(address) for asked in tab.heard.asked)


def test_a_word_has_its_probability_and_the_regions_it_looked_at(
    address: str, model: Path, photos: list[Path], tab: browser.Tab
) -> None:
    tab.show(address)
    tab.page.get_by_role("radio", name="greedy").wait_for()
    code = """async data => {
        const captioner = await import('./page/captioner.js');
        await captioner.models();
        const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        const told = [];
        const options = {decoder: {use: 'greedy'}, n_best: 1, signal: new AbortController().signal};
        const answer = await captioner.caption(new Blob([bytes]), options, word => told.push(word));
        return [answer.captions[0], told]; }"""
    data = base64.b64encode(photos[0].read_bytes()).decode()
    answer, told = tab.page.evaluate(code, data)
    found = rnnkit.load(model)
    assert found.pipeline is not None
    memory = found.begin(found.pipeline.features([photos[0]]))
    last = np.array([found.vocabulary.start])
    assert [word["word"] for word in told] == answer["caption"].split()
    for word, again in zip(told, answer["words"], strict=True):
        looked = looks(found, memory)
        assert looked is not None
        log_probs, memory = found.writing_step(last, memory)
        last = log_probs.argmax(axis=1)
        assert word["word"] == again["word"] == found.vocabulary.words[last[0]]
        assert word["probability"] == pytest.approx(float(np.exp(log_probs.max())), abs=1e-5)
        np.testing.assert_allclose(word["attention"], looked[0], atol=1e-5)
        assert len(word["instead"]) == 5
        assert all(other["probability"] <= word["probability"] for other in word["instead"])
    assert answer["map"] == [3, 3]


@pytest.mark.parametrize(
    "how",
    [
        {"fit": "squash", "interpolation": "bicubic"},
        {"fit": "squash", "interpolation": "nearest"},
        {"fit": "crop", "interpolation": "bilinear", "shorter": 29},
        {"fit": "pad", "interpolation": "lanczos"},
    ],
)
def test_pictures_are_made_small_as_pillow_does(
    how: dict[str, Any], address: str, tab: browser.Tab
) -> None:
    tab.show(address)
    code = """async cases => {
        const {prepare} = await import('./page/picture.js');
        return cases.map(([width, height, data, how]) => Array.from(prepare({width, height, data}, how))); }"""
    rng = np.random.default_rng(2)
    sizes = [(40, 30), (30, 40), (21, 90), (24, 24), (9, 11), (200, 7), (23, 61)]
    pictures = [rng.integers(0, 256, (h, w, 3), np.uint8) for w, h in sizes]
    cases = [
        [*size, p.ravel().tolist(), {"size": 24, **how}]
        for size, p in zip(sizes, pictures, strict=True)
    ]
    found = tab.page.evaluate(code, cases)
    for picture, numbers in zip(pictures, found, strict=True):
        wanted = fit_picture(picture, 24, **how)
        np.testing.assert_array_equal(np.reshape(numbers, (24, 24, 3)), wanted)


def test_what_is_no_picture_is_told(address: str, tab: browser.Tab, tmp_path: Path) -> None:
    tab.show(address)
    tab.page.get_by_role("radio", name="greedy").wait_for()
    (tmp_path / "notes.txt").write_text("no picture")
    tab.page.get_by_label("Choose a photo").set_input_files(tmp_path / "notes.txt")
    trouble = tab.page.get_by_role("alert")
    trouble.filter(has_text="This browser cannot read the file as a picture.").wait_for()


def test_a_runtime_that_is_not_there_is_told(model: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "ort.wasm.min.mjs").touch()
    with pytest.raises(
        DataError, match=r"dist lacks ort-wasm-simd-threaded\.mjs, ort-wasm-simd-threaded\.wasm;"
    ):
        export_web(model, tmp_path / "web", tmp_path / "dist")
    ran = CliRunner().invoke(app, ["export", str(model), "c.onnx", "--web", "web"])
    assert "name one file to write" in str(ran.exception)


def test_an_encoder_that_no_browser_runs_is_told(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scenes, "in_onnx", lambda self: None)
    text = (
        '[model]\nwords = { use = "embedding", dim = 8 }\n[[model.rnn]]\nhidden = 6\ncell = "gru"\n'
    )
    model = with_encoder(network(text, tiny_data), False, "scenes")
    rnnkit.save(model, tmp_path / "m.h5")
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="is no network in ONNX, so no browser can run it"):
        export_web(tmp_path / "m.h5", tmp_path / "web", tmp_path)
    assert not (tmp_path / "web").exists()
