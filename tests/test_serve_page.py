"""The page of `rnnkit serve` in a real browser: from a photo to what is said of it, by every way and in every light."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.training import train
from tests import browser
from tests.servers import Place, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MINUS = "\N{MINUS SIGN}"

LOOKING = """
[model]
image = { use = "regions", count = 49, units = 12 }
words = { use = "embedding", dim = 8 }
[[model.rnn]]
hidden = 12
cell = { use = "attention-lstm", regions = 49 }
[train]
epochs = 20
batch = 8
optimizer = { use = "adam", learning_rate = 2e-2 }
"""


@pytest.fixture(scope="module")
def looking(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, of a network that looks at the colours of 7 x 7 regions."""
    folder = tmp_path_factory.mktemp("looking")
    encoder = f'{{ use = "onnx", file = "{write_colours(folder / "colours.onnx")}", size = 7 }}'
    given = ["--images", tiny_data / "images", "--captions", tiny_data / "captions_train.json"]
    options = ["--encoder", encoder, "--min-count", 1, "--val", 0.2, "--out", folder / "data"]
    made = CliRunner().invoke(app, ["data", "prepare", *map(str, given + options)])
    assert made.exit_code == 0, made.output
    file = folder / "small.toml"
    file.write_text(LOOKING)
    train(file, data=folder / "data", out=folder / "looking")
    return folder / "looking"


def write_colours(file: Path) -> Path:
    """A network whose features are the pixels it is given."""
    onnx = pytest.importorskip("onnx", reason="the extra rnnkit[photos] is not installed")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("N", 3, "h", "w"))
        for name in ("x", "y")
    ]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "colours", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), file)
    return file


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run]) as found:
        yield found


@pytest.fixture(scope="module")
def both(small_run: Path, looking: Path) -> Iterator[Place]:
    with serving([small_run, looking]) as found:
        yield found


@pytest.fixture(scope="module")
def photos(tiny_data: Path) -> list[Path]:
    return sorted((tiny_data / "images" / "val").iterdir())


def said(run: Path, photo: Path, *options: str) -> dict[str, Any]:
    """What `rnnkit caption` says of a photo."""
    told = CliRunner().invoke(app, ["caption", str(run), str(photo), "--json", *options])
    assert told.exit_code == 0, told.output
    (found,) = json.loads(told.stdout)
    return dict(found)


def visit(tab: browser.Tab, place: Place, width: int = 1280, *, dark: bool = False) -> None:
    """Open the page, and wait until it knows the models."""
    tab.show(place.url, width, dark=dark)
    tab.page.get_by_role("radio", name="beam").wait_for()


@contextmanager
def answered(page: Page) -> Iterator[None]:
    """What is done in here has a photo captioned; at the end its caption is there."""
    with page.expect_response(lambda response: "/caption?" in response.url):
        yield
    page.locator("#page:not([aria-busy])").wait_for()


def until(page: Page, expression: str) -> None:
    """Wait until it is true; Playwright's own function for this asks pages to evaluate text, which this one forbids."""
    end = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def choose(page: Page, photo: Path) -> None:
    with answered(page):
        page.get_by_label("Choose a photo").set_input_files(photo)


def caption_on(page: Page) -> str:
    """Without the probabilities, which only screen readers are told."""
    found: str = page.locator(".said").first.evaluate(
        "said => [...said.children].map(word => word.firstChild.data).join(' ')"
    )
    assert page.get_by_role("status").inner_text().endswith(found)
    return found


def best_on(page: Page) -> list[tuple[str, str]]:
    rows = page.locator(".best li")
    return [
        (row.locator("span").inner_text(), row.locator("data").inner_text()) for row in rows.all()
    ]


def as_shown(caption: dict[str, Any]) -> list[tuple[str, str]]:
    """The n best of `rnnkit caption --json`, as the page has them."""
    all_of_them = [(caption["caption"], caption["log_prob"]), *caption["others"]]
    return [(text, f"{log_prob:.2f}".replace("-", MINUS)) for text, log_prob in all_of_them]


def test_a_photo_is_dropped_and_another_decoder_says_something_else(
    place: Place, tab: browser.Tab, small_run: Path, photos: list[Path]
) -> None:
    page = tab.page
    visit(tab, place)
    with answered(page):
        browser.drop(page, photos[0])
    assert caption_on(page) == said(small_run, photos[0])["caption"]
    with answered(page):
        page.get_by_role("radio", name="beam").check()
    beam = '{ use = "beam", width = 3 }'
    before = best_on(page)
    assert before == as_shown(said(small_run, photos[0], "--decoder", beam, "--n-best", "3"))
    with answered(page):
        page.get_by_role("slider", name="length penalty").fill("2")
    beam = '{ use = "beam", width = 3, length_penalty = 2 }'
    assert best_on(page) == as_shown(said(small_run, photos[0], "--decoder", beam, "--n-best", "3"))
    assert best_on(page) != before
    with answered(page):
        page.get_by_role("spinbutton", name="width, as a number").fill("5")
    assert len(best_on(page)) == 5
    assert tab.heard.complaints == []
    assert all(address.startswith(place.url) for address in tab.heard.asked)


def test_a_word_shows_how_likely_it_was_and_what_nearly_was(
    place: Place, tab: browser.Tab, photos: list[Path]
) -> None:
    visit(tab, place)
    choose(tab.page, photos[1])
    wanted = place.caption(photos[1])["words"][1]
    tab.page.locator(".word").nth(1).hover()
    rows = {
        row.locator("span").inner_text(): row.locator("data").inner_text()
        for row in tab.page.locator(".choice li").all()
    }
    assert set(rows) == {
        one["word"].replace("<END>", "(the end)") for one in (wanted, *wanted["instead"])
    }
    assert len(rows) == 6
    assert rows[wanted["word"]] == f"{round(100 * wanted['probability'])} %"
    assert tab.page.locator(".choice .chosen span").inner_text() == wanted["word"]


def test_the_photo_is_bright_where_a_network_looked_at_a_word(
    both: Place, tab: browser.Tab, photos: list[Path]
) -> None:
    visit(tab, both)
    choose(tab.page, photos[0])
    small, looks = (tab.page.get_by_role("article", name=n) for n in ("small", "looking"))
    answer = both.ask("/caption?model=looking", photos[0].read_bytes()).json["captions"][0]
    shade = tab.page.locator("#photo canvas")
    for place, word in enumerate(answer["words"][:3]):
        looks.locator(".word").nth(place).hover()
        assert re.search(r"\bon\b", shade.get_attribute("class") or "")
        alphas = shade.evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, 7, 7).data].filter((_, i) => i % 4 == 3)"
        )
        shares = np.array(word["attention"]) / max(word["attention"])
        np.testing.assert_allclose(alphas, 165 * (1 - shares), atol=1)
    assert looks.locator(".looks li").count() == len(answer["words"])
    small.locator(".word").first.hover()
    assert not shade.get_attribute("class")


def png(width: int, height: int) -> bytes:
    """A black picture of two colours."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


REFUSED = {
    "text.jpg": (b"This is a text, whatever its name says.", "is not a picture"),
    "far too large.png": (png(30_000, 30_000), "pixels"),
    "heavy.jpg": (bytes(22_000_000), "22.0 MB, and 21.0 MB are the most"),
    "empty.png": (b"", "The file is empty."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_or_too_large_is_told_in_a_sentence(
    name: str, place: Place, tab: browser.Tab, photos: list[Path], tmp_path: Path
) -> None:
    content, why = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    visit(tab, place)
    choose(tab.page, photos[0])
    before = caption_on(tab.page)
    tab.page.get_by_label("Choose a photo").set_input_files(tmp_path / name)
    told = tab.page.get_by_role("alert").filter(has_text=why)
    told.wait_for()
    assert caption_on(tab.page) == before
    assert tab.page.locator("#photo img").evaluate("photo => photo.naturalWidth") == 64
    choose(tab.page, photos[1])
    assert tab.page.get_by_role("alert").inner_text() == ""


STOPPED = """async () => {
    const { caption } = await import(new URL('page/captioner.js', document.baseURI));
    const stop = new AbortController();
    const options = { decoder: { use: 'greedy' }, n_best: 1, signal: stop.signal };
    let words = 0;
    return caption(0, options, () => { words += 1; stop.abort(); }).catch(e => [words, e.name]); }"""
"""How many words are heard, and what comes of the caption, if nobody wants it after the first."""


def test_a_photo_of_20_megabytes_is_captioned_and_one_may_leave_in_the_middle(
    place: Place, tab: browser.Tab, small_run: Path, photos: list[Path], tmp_path: Path
) -> None:
    from PIL import Image

    side = 2580
    heavy = tmp_path / "heavy.png"
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(heavy, compress_level=0)
    assert 19.9e6 < heavy.stat().st_size < 20.9e6
    visit(tab, place)
    tab.page.get_by_label("Choose a photo").set_input_files(heavy)
    tab.page.reload()
    choose(tab.page, heavy)
    assert caption_on(tab.page) == said(small_run, heavy)["caption"]
    tab.page.get_by_label("Choose a photo").set_input_files(heavy)
    choose(tab.page, photos[0])
    assert caption_on(tab.page) == said(small_run, photos[0])["caption"]
    assert tab.page.evaluate(STOPPED) == [1, "AbortError"]
    assert tab.heard.complaints == []
    assert place.ask("/health").json["waiting"] == 0


def test_a_server_that_has_gone_is_told(
    small_run: Path, tab: browser.Tab, photos: list[Path]
) -> None:
    with serving([small_run]) as place:
        visit(tab, place)
        choose(tab.page, photos[0])
    tab.page.get_by_label("Choose a photo").set_input_files(photos[1])
    tab.page.get_by_role("alert").filter(has_text="The server does not answer").wait_for()


def test_everything_is_done_with_the_keyboard(
    place: Place, tab: browser.Tab, small_run: Path, photos: list[Path]
) -> None:
    page = tab.page
    page.on("filechooser", lambda chooser: chooser.set_files(photos[0]))
    visit(tab, place)

    def tab_to(what: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches('{what}')"):
                ring = "getComputedStyle(document.activeElement.closest('.button') ?? document.activeElement)"
                assert page.evaluate(f"{ring}.outlineStyle") != "none"
                return
        raise AssertionError(f"Tab does not come to {what}")

    tab_to("input[type=file]")
    with answered(page):
        page.keyboard.press("Enter")
    wanted = said(small_run, photos[0])["caption"]
    assert caption_on(page) == wanted
    tab_to(".word")
    page.keyboard.press("End")
    assert page.locator(".choice b").inner_text() == wanted.split()[-1]
    page.keyboard.press("ArrowLeft")
    assert page.locator(".choice b").inner_text() == wanted.split()[-2]
    tab_to("#choice input")
    with answered(page):
        page.keyboard.press("ArrowLeft")
    assert page.get_by_role("radio", name="beam").is_checked()
    tab_to("#samples button")
    with answered(page):
        page.keyboard.press("Enter")


def test_without_javascript_a_form_is_sent(
    place: Place, chromium: Browser, small_run: Path, photos: list[Path], tmp_path: Path
) -> None:
    with browser.tab_of(chromium, javascript=False) as tab:
        page = tab.page
        tab.show(place.url, 390)
        page.get_by_label("Choose a photo").set_input_files(photos[0])
        page.get_by_role("combobox", name="Decoder").select_option("beam")
        page.get_by_role("button", name="Caption it").click()
        wanted = said(small_run, photos[0], "--decoder", "beam", "--n-best", "3")
        assert page.locator(".said").inner_text() == wanted["caption"]
        assert best_on(page) == as_shown(wanted)
        assert page.get_by_alt_text(f"Photo: {wanted['caption']}").is_visible()
        assert tab.width == 390
        page.get_by_role("button", name="Picture 2").click()
        assert page.locator(".said").inner_text() == said(small_run, photos[1])["caption"]
        (tmp_path / "text.jpg").write_text("This is a text.")
        page.get_by_label("Choose a photo").set_input_files(tmp_path / "text.jpg")
        page.get_by_role("button", name="Caption it").click()
        assert "is not a picture" in page.get_by_role("alert").inner_text()


def test_photos_of_this_visit_and_samples_are_a_click_away(
    place: Place, tab: browser.Tab, small_run: Path, photos: list[Path]
) -> None:
    page = tab.page
    visit(tab, place)
    with answered(page):
        page.get_by_role("button", name="Picture 3").click()
    assert caption_on(page) == said(small_run, photos[2])["caption"]
    assert page.get_by_role("button", name="Photo of this visit").count() == 0
    choose(page, photos[0])
    with answered(page):
        files = browser.file_in(page, photos[1])
        page.evaluate(
            "files => dispatchEvent(new ClipboardEvent('paste', { clipboardData: files }))", files
        )
    assert caption_on(page) == said(small_run, photos[1])["caption"]
    with answered(page):
        page.get_by_role("button", name="Photo of this visit").last.click()
    assert caption_on(page) == said(small_run, photos[0])["caption"]
    page.get_by_role("button", name="Take one").click()
    until(page, "document.querySelector('video').videoWidth > 0")
    with answered(page):
        page.get_by_role("button", name="Take it").click()
    assert page.get_by_role("button", name="Photo of this visit").count() == 3
    assert tab.heard.complaints == []


def test_captions_are_copied_and_downloaded(
    both: Place, tab: browser.Tab, photos: list[Path]
) -> None:
    from PIL import Image

    page = tab.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(tab, both)
    choose(page, photos[0])
    answer = both.ask("/caption", photos[0].read_bytes()).json
    lines = [f"{caption['model']}: {caption['caption']}" for caption in answer["captions"]]
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(lines)

    def downloaded(name: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        return Path(download.value.path()).read_bytes()

    assert answer["captions"][1]["caption"] in downloaded("Text").decode()
    kept = json.loads(downloaded("JSON"))
    assert [c["words"] for c in kept["captions"]] == [c["words"] for c in answer["captions"]]
    assert kept["picture"] == {"width": 64, "height": 64}
    card = Image.open(io.BytesIO(downloaded("Card"))).convert("RGB")
    assert card.width == 1200
    seen = card.crop((0, 0, 1200, 1200)).resize((64, 64), Image.Resampling.BOX)
    with Image.open(photos[0]) as photo:
        np.testing.assert_allclose(np.asarray(seen, int), np.asarray(photo.convert("RGB")), atol=3)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_a_barrier_or_leaves_the_screen(
    dark: bool, both: Place, tab: browser.Tab, photos: list[Path]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def barriers() -> list[tuple[str, str]]:
        until(tab.page, "document.getAnimations().every(a => a.playState != 'running')")
        found = axe.run(tab.page).response["violations"]
        return [(one["impact"], f"{one['id']}: {one['nodes'][0]['html']}") for one in found]

    tab.page.emulate_media(reduced_motion="reduce")
    for width in (1280, 390):
        visit(tab, both, width, dark=dark)
        assert barriers() == []
        choose(tab.page, photos[0])
        with answered(tab.page):
            tab.page.get_by_role("radio", name="sample").check()
        assert barriers() == []
    for width in (390, 600, 768, 900, 1280, 1600):
        tab.page.set_viewport_size({"width": width, "height": 900})
        assert tab.width == width
    ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(19, 21, 25)" if dark else "rgb(250, 248, 244)")
