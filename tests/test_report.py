"""The page of a run: what is on it, what is not, and how it looks in a browser."""

from __future__ import annotations

import base64
import importlib.util
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

import rnnkit
from rnnkit.captioning.evaluation import evaluate
from rnnkit.data import open_data
from rnnkit.describing.report import write_report
from rnnkit.describing.report.charts import Series, draw, smoothed, thinned
from rnnkit.describing.report.network import diagram
from rnnkit.describing.report.numbers import count, duration, figure, percent, rate, short, tick
from rnnkit.describing.report.pictures import SIDE, Album
from rnnkit.describing.report.vocabulary import compare_words
from rnnkit.describing.summary import summarize
from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.metrics import installed, scores_each
from rnnkit.training import History, Step, Trainer, read_history
from tests import browser
from tests.datafolders import WORDS, put, read_array, write_data_folder

for needed in ("jinja2", "matplotlib", "PIL", "pygments"):
    pytest.importorskip(needed, reason="the extra rnnkit[report] is not installed")

SPEC = """
[model]
image = [{ use = "affine", units = 20 }, "relu", "affine"]
words = [{ use = "embedding", dim = 16 }, { use = "dropout", rate = 0.1 }]
[[model.rnn]]
hidden = 24
cell = "lstm"
[[model.rnn]]
hidden = 12
input = { use = "layer-norm" }
cell = { use = "vanilla", activation = "tanh" }
[train]
epochs = 6
batch = 16
evaluate = 6
optimizer = { use = "adam", learning_rate = 1e-2 }
schedule = { use = "exponential", decay = 0.7 }
"""

VOID = {"meta", "link", "img", "br", "hr", "input"}


Matrix: TypeAlias = npt.NDArray[np.float64]


class Node:
    """An element of a page."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.inside: list[Node | str] = []

    def all(self, tag: str = "", of_class: str = "") -> Iterator[Node]:
        for child in self.inside:
            if isinstance(child, Node):
                classes = child.attributes.get("class", "").split()
                if tag in ("", child.tag) and (not of_class or of_class in classes):
                    yield child
                yield from child.all(tag, of_class)

    def one(self, tag: str = "", of_class: str = "") -> Node:
        return next(self.all(tag, of_class))

    def by_id(self, name: str) -> Node:
        return next(n for n in self.all() if n.attributes.get("id") == name)

    @property
    def text(self) -> str:
        pieces = [c if isinstance(c, str) else c.text for c in self.inside]
        return " ".join("".join(pieces).split())


class Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def parsed(source: str) -> Node:
    tree = Tree()
    tree.feed(source)
    tree.close()
    (root,) = tree.open
    return root


def page_of(file: Path) -> Node:
    return parsed(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    rnnkit.train(rnnkit.parse_spec(SPEC), tiny_data, folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Node:
    return page_of(write_report(run))


def tiles(page: Node) -> dict[str, tuple[str, str]]:
    """Title -> value and note."""
    return {
        t.one("dt").text: (t.one("dd", "value").text, t.one("dd", "about").text)
        for t in page.all("div", "tile")
    }


def test_headline_numbers_are_those_of_the_run(run: Path, page: Node, tiny_data: Path) -> None:
    history, model = read_history(run), rnnkit.load(run)
    best = [r for r in history.records if r.best][-1]
    found = tiles(page)
    assert found["val perplexity"] == (
        f"{best.val_perplexity:.3g}",
        f"{best.val_nats:.3f} nats per token, at update {best.step}",
    )
    parameters = sum(w.size for w in model.parameters.values())
    assert found["parameters"][1] == f"{parameters:,}, float32"
    last = history.records[-1]
    assert found["updates"] == (str(last.step), "6 of 6 epochs, 16 captions each")
    with open_data(tiny_data) as data:
        train = data.split("train")
        assert found["captions to learn from"] == (
            str(len(train.captions)),
            f"24 images, {len(data.vocabulary)} words",
        )
        if installed():
            scores = evaluate(model, data).scores
            assert found["BLEU-4"][0] == f"{scores['bleu4']:.3f}"
            assert found["CIDEr"][0] == f"{scores['cider']:.3f}"
    assert page.one("h1").text == "small"
    assert page.one("p", "lead").text.startswith(
        "A network of 24 lstm and 12 vanilla units that learnt to caption pictures in "
    )


def test_scores_are_there_only_if_they_can_be_computed(page: Node) -> None:
    assert ("CIDEr" in tiles(page)) == installed()


def axis(svg: Node, end: str) -> Matrix:
    """Places and values of the marks on the left axis (anchored at their end), or of the one below."""
    key = "x" if end == "middle" else "y"
    marks = [
        (float(t.attributes[key]), float(t.text.replace(",", "")))
        for t in svg.all("text")
        if t.attributes.get("text-anchor") == end and re.fullmatch(r"[\d.,e-]+", t.text)
    ]
    return np.array(marks)


def fitted(marks: Matrix) -> Callable[[float], float]:
    """The straight line from places to values, through marks (n, 2)."""
    (slope, offset), *_ = np.linalg.lstsq(
        np.column_stack([marks[:, 0], np.ones(len(marks))]), marks[:, 1], rcond=None
    )
    return lambda place: float(slope * place + offset)


def test_curves_are_read_off_their_axes_as_the_history_has_them(run: Path, page: Node) -> None:
    svg = page.by_id("learning").one("svg", "chart")
    history = read_history(run)
    to_x, to_y = fitted(axis(svg, "middle")), fitted(axis(svg, "end"))
    dots = next(g for g in svg.all("g", "val") if g.one("path")).all("circle")
    read = [
        (
            to_x(float(d.attributes["cx"])),
            to_y(float(d.attributes["cy"])),
        )
        for d in dots
    ]
    wanted = [(float(r.step), float(r.val_nats or 0)) for r in history.records]
    np.testing.assert_allclose(read, wanted, rtol=2e-3, atol=0.02)
    # On the right the same places say the perplexity.
    places = {t.attributes["y"]: t.text for t in svg.all("text") if "text-anchor" in t.attributes}
    right = [
        t for t in svg.all("text") if "text-anchor" not in t.attributes and "y" in t.attributes
    ]
    pairs = [
        (float(places[t.attributes["y"]]), float(t.text.replace(",", "")))
        for t in right
        if t.attributes["y"] in places and t.attributes.get("dy") == ".35em"
    ]
    assert len(pairs) >= 3
    for nats, perplexity in pairs:
        assert perplexity == pytest.approx(np.exp(nats), rel=6e-3)


def test_charts_of_the_learning_rate_and_the_gradient_are_those_of_the_updates(
    run: Path, page: Node
) -> None:
    figures = {f.one("h3").text: f for f in page.by_id("learning").all("figure")}
    updates = read_history(run).updates
    for title, values in (
        ("Learning rate", [1e-2 * u.learning_rate_factor for u in updates]),
        ("Norm of the gradient", [u.gradient_norm for u in updates]),
    ):
        said = [s.one("text").text for s in figures[title].all("g", "spot")]
        assert said == [
            f"update {u.step}: {float(f'{value:.4g}'):g}"
            for u, value in zip(updates, values, strict=True)
        ]


def test_charts_of_rewards_are_those_of_the_history(tiny_data: Path, tmp_path: Path) -> None:
    options = ["train.metric=rouge_l", "train.epochs=3", "train.evaluate=4", "train.reward.after=1"]
    rnnkit.train(rnnkit.parse_spec(SPEC, overrides=options), tiny_data, tmp_path / "run")
    learning = page_of(write_report(tmp_path / "run")).by_id("learning")
    figures = {f.one("h3").text: f for f in learning.all("figure")}
    history = read_history(tmp_path / "run")

    def said(title: str) -> list[str]:
        return [s.one("text").text for s in figures[title].all("g", "spot")]

    def four(value: float | None) -> str:
        return f"{float(f'{value:.4g}'):g}"

    judged = [r for r in history.records if r.reward is not None]
    assert said("Reward of drawn captions: cider-d") == [
        f"update {u.step}: {four(u.reward)}" for u in history.updates if u.reward is not None
    ]
    assert said("Entropy of the next word") == [
        f"update {r.step}: drawn {four(r.drawn_entropy)}" for r in judged
    ]
    ends = [(r.step, four(r.drawn_words), four(r.val_words)) for r in judged]
    assert said("Words of a caption")[-len(ends) :] == [
        f"update {step}: drawn {drawn} · val {val}" for step, drawn, val in ends
    ]
    rows = [[c.text for c in row.all("td")] for row in learning.one("tbody").all("tr")]
    assert [row[6] for row in rows[-len(judged) :]] == [f"{r.reward:.4f}" for r in judged]


def test_all_evaluations_stand_in_a_table(run: Path, page: Node) -> None:
    table = page.by_id("learning").one("table")
    rows = [[c.text for c in row.all("td")] for row in table.one("tbody").all("tr")]
    assert [row[:5] for row in rows] == [
        [
            str(r.epoch),
            str(r.step),
            f"{r.train_nats:.3f}",
            f"{r.val_nats:.3f}",
            f"{r.val_perplexity:.2f}",
        ]
        for r in read_history(run).records
    ]


def test_the_diagram_has_every_part_with_where_it_comes_from(run: Path, page: Node) -> None:
    summary = summarize(rnnkit.load(run))
    boxes = {b.one("code").text: b for b in page.by_id("network").all("div", "box")}
    assert list(boxes) == [part.name for part in summary.parts]
    for part in summary.parts:
        text = boxes[part.name].text
        assert f"{part.in_features:,} → {part.out_features:,}" in text
        assert f"{part.package} {part.version}" in text
        assert part.plugin in text
        assert (f"{part.parameters:,} parameters" in text) == (part.parameters > 0)
    assert [n for n, b in boxes.items() if "cell" in b.attributes["class"]] == ["rnn.0", "rnn.1"]
    assert [g.text for g in boxes["rnn.0"].one("span", "gates").all("span")] == ["i", "f", "o", "g"]
    others = {d.one("dt").text: d.one("dd").text for d in page.one("dl", "others").all("div")}
    assert list(others) == ["loss", "optimizer", "schedule", "decoder"]
    assert others["schedule"].startswith("exponential(decay=0.7")


@pytest.mark.parametrize(
    ("inject", "wanted"),
    [
        ("init", {"rnn.0": "h₀: 24 numbers", "rnn.1": "h₀: 12 numbers"}),
        ("pre", {"rnn.0": "read before the first word"}),
        ("par", {"rnn.0": "beside every word"}),
        ("merge", {"head.0": "beside every output"}),
    ],
)
def test_the_image_enters_the_diagram_where_it_enters_the_network(
    inject: str, wanted: dict[str, str], tiny_data: Path
) -> None:
    spec = rnnkit.parse_spec(SPEC.replace("[model]", f'[model]\ninject = "{inject}"', 1))
    model = rnnkit.build(spec, tiny_data)
    rows = diagram(model, summarize(model)).rows
    assert {row.box.name: row.enters for row in rows if row.enters} == wanted
    lowest = max(i for i, row in enumerate(rows) if row.enters)
    assert [row.rail for row in rows] == [i < lowest for i in range(len(rows))]


def cards(page: Node) -> list[Node]:
    return [
        li
        for ul in page.by_id("captions").all("ul", "cards")
        for li in ul.inside
        if isinstance(li, Node)
    ]


def test_captions_stand_beside_those_of_people(run: Path, page: Node, tiny_data: Path) -> None:
    people: dict[str, list[str]] = {}
    content = json.loads((tiny_data / "captions_val.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    for annotation in content["annotations"]:
        people.setdefault(names[annotation["image_id"]], []).append(annotation["caption"])
    with open_data(tiny_data) as data:
        val = data.split("val")
        said = rnnkit.load(run).caption(val.features.rows(np.arange(val.images), np.dtype("f4")))
        assert val.pictures is not None
        wanted = {Path(p).name: caption for p, caption in zip(val.pictures, said, strict=True)}
    shown = cards(page)
    assert len(shown) == 8 + 4 + 4
    for card in shown:
        name = Path(card.one("img").attributes["alt"].partition(":")[0]).name
        caption = card.one("p", "said")
        assert caption.text == wanted[name]
        truth = [li.text for ul in card.all("ul", "people") for li in ul.all("li")]
        assert truth == people[name]
        odd = [span.text for span in caption.all("span", "odd")]
        used = " ".join(truth).split()
        assert odd == [word for word in wanted[name].split() if word not in used]


def test_the_best_and_the_worst_are_found_by_cider(run: Path, page: Node, tiny_data: Path) -> None:
    if not installed():
        pytest.skip("the extra rnnkit[eval] is not installed")
    with open_data(tiny_data) as data:
        found = evaluate(rnnkit.load(run), data, metrics=())
    each = scores_each(
        {one.image: one.caption for one in found.captions},
        {one.image: one.truth for one in found.captions},
        ("cider",),
    )
    wanted = sorted((values["cider"] for values in each.values()), reverse=True)
    measured = [card.one("ul", "measured").one("li").text for card in cards(page)[8:]]
    assert measured == [f"CIDEr {v:.2f}" for v in [*wanted[:4], *wanted[::-1][:4]]]


def test_without_the_eval_extra_nats_judge_and_the_page_says_so(
    run: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "pycocoevalcap" else find_spec(name, *rest),
    )
    page = page_of(write_report(run, out=tmp_path / "page.html"))
    (sentence,) = [p.text for p in page.all("p", "missing")]
    assert 'pip install "rnnkit[eval]"' in sentence
    assert "CIDEr" not in tiles(page)
    model = rnnkit.load(run)
    with open_data(tiny_data) as data:
        val = data.split("val")
        nats = []
        for image in range(val.images):
            captions = val.captions_of(image)
            scores = model.scores(
                val.features.rows(np.full(len(captions), image), model.dtype), captions
            )
            odds = scores - np.log(np.exp(scores.astype(float)).sum(axis=2, keepdims=True))
            targets = captions[:, 1:]
            chosen = np.take_along_axis(odds, targets[..., None], axis=2)[..., 0]
            nats.append(-chosen[targets != data.vocabulary.null].mean())
    measured = [card.one("ul", "measured").one("li").text for card in cards(page)[8:]]
    wanted = [*sorted(nats)[:4], *sorted(nats)[::-1][:4]]
    assert measured == [f"nats per token {v:.2f}" for v in wanted]


def test_images_that_nobody_described_are_shown_and_not_ranked(tmp_path: Path) -> None:
    data = write_data_folder(tmp_path / "data", images=6)
    for name in ("val_captions", "val_image_idxs"):
        put(data / "captions.h5", name, read_array(data / "captions.h5", name)[: 3 * 4])
    rnnkit.train(rnnkit.parse_spec(SPEC), data, tmp_path / "run")
    shown = cards(page_of(write_report(tmp_path / "run")))
    assert len(shown) == 6 + 2 + 2
    facts = [len(list(card.one("ul", "measured").all("li"))) for card in shown]
    assert facts == [2, 2, 2, 2, 1, 1, 2, 2, 2, 2]


def test_pictures_are_on_the_page_pixel_by_pixel(page: Node, tiny_data: Path) -> None:
    from PIL import Image

    for image in page.by_id("captions").all("img"):
        name = image.attributes["alt"].partition(":")[0]
        head, _, data = image.attributes["src"].partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
            pixels = np.asarray(shown.convert("RGB"))
        with Image.open(tiny_data / "images" / name) as file:
            np.testing.assert_array_equal(pixels, np.asarray(file.convert("RGB")))


def test_large_pictures_are_made_small_and_do_not_add_up_for_ever(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (600, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "large.jpg")
    place, album = str(tmp_path / "images" / "large.jpg"), Album(tmp_path, most := 300_000)
    pictures = [album.picture(place, 0) for _ in range(16)]
    assert (pictures[0].width, pictures[0].height) == (SIDE, SIDE // 2)
    assert not pictures[0].small
    total = sum(len(p.data) for p in pictures)
    assert most * 0.8 < total <= most
    assert [bool(p.data) for p in pictures] == sorted(
        (bool(p.data) for p in pictures), reverse=True
    )
    assert pictures[-1].name == "large.jpg"


def test_pictures_from_elsewhere_are_names_and_only_web_addresses_are_links(
    tmp_path: Path,
) -> None:
    from PIL import Image

    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (data / "images" / "text.png").write_text("no picture")
    album = Album(data)
    for place in (
        str(data / "images" / ".." / ".." / "secret.png"),
        str(tmp_path / "secret.png"),
        str(data / "images" / "text.png"),
        str(data / "images" / "none.png"),
        "javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "https://[broken",
        "name.jpg",
    ):
        picture = album.picture(place, 0)
        assert (picture.data, picture.address) == ("", ""), place
        assert place.endswith(picture.name)
    assert album.picture("https://example.org/a?b=1", 0).address == "https://example.org/a?b=1"
    assert album.picture(None, 7).name == "image 7"


def test_the_page_asks_for_nothing_and_runs_nothing(run: Path, page: Node) -> None:
    source = write_report(run).read_text(encoding="utf-8")
    assert not list(page.all("script"))
    for node in page.all():
        for name, value in node.attributes.items():
            assert not name.startswith("on"), (node.tag, name)
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                assert value.startswith(("#", "data:")), (node.tag, name, value)
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    policy = next(m for m in page.all("meta") if "http-equiv" in m.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"https?://", source)


def test_each_thing_that_can_be_pointed_to_has_a_name(page: Node) -> None:
    ids = [n.attributes["id"] for n in page.all() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    for link in page.one("nav").all("a"):
        assert link.attributes["href"].removeprefix("#") in ids
    levels = [int(n.tag[1]) for n in page.all() if re.fullmatch(r"h\d", n.tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert levels.count(1) == 1
    for node in page.all():
        if node.tag == "img":
            assert node.attributes["alt"]
        if node.attributes.get("role") in ("img", "region"):
            assert node.attributes["aria-label"]


EVIL = "<script>alert(1)</script>"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A run whose words, picture names, paths and folder are HTML."""
    names = tmp_path / "<img src=x onerror=alert(2)>"
    data = write_data_folder(names, words=[*WORDS, EVIL, "&amp;", '"><b>x</b>'], images=6)
    for split in ("train", "val"):
        lines = [EVIL, 'javascript:alert("3")', "https://example.org/<b>?a=1&b=2\"'", *"abc"]
        (data / f"{split}_urls.txt").write_text("\n".join(lines))
    folder = tmp_path / "<i>run"
    rnnkit.train(rnnkit.parse_spec(SPEC), data, folder)
    return folder


def test_words_names_and_specs_are_text_whatever_is_in_them(evil: Path) -> None:
    source = write_report(evil).read_text(encoding="utf-8")
    page = parsed(source)
    assert not list(page.all("script"))
    assert not [n for n in page.all() if any(name.startswith("on") for name in n.attributes)]
    assert "<script" not in source
    assert "<img src=x" not in source
    assert page.one("h1").text == "<i>run"
    names = {p.text for p in page.by_id("captions").all("p", "name")}
    assert {EVIL, 'javascript:alert("3")'} <= names
    links = {a.attributes["href"] for a in page.by_id("captions").all("a")}
    assert links == {"https://example.org/<b>?a=1&b=2\"'"}
    assert EVIL in page.one("section").text
    assert "<img src=x onerror=alert(2)>" in page.by_id("spec").one("pre").text


def test_words_are_counted_as_people_would(run: Path, page: Node, tiny_data: Path) -> None:
    with open_data(tiny_data) as data:
        captions = evaluate(rnnkit.load(run), data, metrics=()).captions
    said = Counter(" ".join(one.caption for one in captions).split())
    wrote = Counter(" ".join(text for one in captions for text in one.truth).split())
    words = compare_words(captions)
    assert (words.network_words, words.people_words) == (len(said), len(wrote))
    assert words.different == len({one.caption for one in captions})
    assert words.network_length == pytest.approx(said.total() / len(captions))
    assert [f.people for f in words.common] == pytest.approx(
        [1000 * n / wrote.total() for _, n in wrote.most_common(len(words.common))]
    )
    for f in (*words.common, *words.more, *words.less):
        assert f.network == pytest.approx(1000 * said[f.word] / said.total())
        assert f.people == pytest.approx(1000 * wrote[f.word] / wrote.total())
    assert all(f.network > f.people for f in words.more)
    assert all(f.network < f.people for f in words.less)
    rows = page.by_id("words").one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == [f.word for f in words.common]


def test_without_data_the_page_is_still_written_and_says_so(
    run: Path, tiny_data: Path, tmp_path: Path
) -> None:
    page = page_of(write_report(run, tmp_path / "gone", tmp_path / "page.html"))
    (sentence,) = [p.text for p in page.all("p", "missing")]
    assert f"{tmp_path / 'gone'} does not exist" in sentence
    assert "--data" in sentence
    with pytest.raises(StopIteration):
        page.by_id("captions")
    assert page.by_id("network")
    assert "val perplexity" in tiles(page)
    assert "#captions" not in {a.attributes["href"] for a in page.all("a")}


def test_data_of_another_vocabulary_is_told(run: Path, tmp_path: Path) -> None:
    other = write_data_folder(tmp_path / "other", width=78)
    page = page_of(write_report(run, other, tmp_path / "page.html"))
    (sentence,) = [p.text for p in page.all("p", "missing")]
    assert str(other) in sentence


def test_a_run_without_a_val_split_shows_train(tmp_path: Path) -> None:
    data = write_data_folder(tmp_path / "data", splits=("train",))
    rnnkit.train(rnnkit.parse_spec(SPEC), data, tmp_path / "run")
    page = page_of(write_report(tmp_path / "run"))
    assert "train perplexity" in tiles(page)
    assert "train images captioned" in page.by_id("captions").one("p", "note").text


def test_a_run_that_was_stopped_before_its_first_evaluation(
    tiny_data: Path, tmp_path: Path
) -> None:
    started: list[Trainer] = []

    def stop(step: Step) -> None:
        started[0].stop = True

    out = tmp_path / "run"
    rnnkit.train(
        rnnkit.parse_spec(SPEC),
        tiny_data,
        out,
        on_start=lambda t, _: started.append(t),
        on_step=stop,
    )
    assert read_history(out) == History()
    page = page_of(write_report(out))
    assert "has not been evaluated" in page.one("p", "missing").text
    assert cards(page)


def test_characters_are_captioned_and_counted_in_words(tiny_data: Path, tmp_path: Path) -> None:
    spec = SPEC.replace("epochs = 6", "epochs = 1") + '[data]\ntokens = "char"\n'
    rnnkit.train(rnnkit.parse_spec(spec), tiny_data, tmp_path / "run")
    page = page_of(write_report(tmp_path / "run", images=3))
    assert len(list(page.by_id("captions").one("ul", "cards").all("p", "said"))) == 3
    assert "character so far" in page.by_id("network").text
    assert page.by_id("words").one("tbody").one("th").text == "a"


@pytest.mark.parametrize("module", ["jinja2", "matplotlib.ticker", "pygments"])
def test_a_missing_extra_is_one_sentence(
    module: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RnnkitError, match=r'pip install "rnnkit\[report\]"'):
        write_report(run)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not the folder of a run"):
        write_report(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no such model file"):
        write_report(tmp_path)


def test_the_command_writes_where_it_is_told(run: Path, tiny_data: Path, tmp_path: Path) -> None:
    def rnnkit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rnnkit", "report", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    (moved / "report.html").unlink(missing_ok=True)
    ran = rnnkit(moved, "--n", "3", "--out", tmp_path / "here.html")
    assert (ran.returncode, ran.stdout) == (0, f"wrote {tmp_path / 'here.html'}\n"), ran.stderr
    assert "3 of the 3 val images" in page_of(tmp_path / "here.html").by_id("captions").text
    assert not (moved / "report.html").exists()
    wrong = rnnkit(tmp_path / "none")
    assert wrong.returncode == 2
    assert wrong.stderr == f"{tmp_path / 'none'} is not the folder of a run\n"


def test_numbers_read_well() -> None:
    assert [count(1234567), short(4123456), short(19336), short(999)] == [
        "1,234,567",
        "4.12 M",
        "19.3 k",
        "999",
    ]
    assert [figure(x) for x in (17.914, 0.16213, 1.4, 0.0, 2.14e-5, 1234.5, np.inf)] == [
        "17.9",
        "0.162",
        "1.40",
        "0.000",
        "2.14e-5",
        "1,234",
        "∞",
    ]
    assert [tick(x) for x in (0.0, 0.0015, 2.5, 10000.0, 1e-5, 2e6)] == [
        "0",
        "0.0015",
        "2.5",
        "10,000",
        "1e-5",
        "2 M",
    ]
    assert [percent(x) for x in (1.0, 0.124, 0.034, 0.0031, 1e-7, 0.0)] == [
        "100 %",
        "12 %",
        "3.4 %",
        "0.31 %",
        "under 0.01 %",
        "0.00 %",
    ]
    assert [duration(s) for s in (8.42, 372.0, 11100.0)] == ["8.4 s", "6.2 min", "3.1 h"]
    assert [rate(x) for x in (0.0, 0.42, 53.3)] == ["0", "0.4", "53"]


def test_long_lines_are_thinned_and_keep_their_mean() -> None:
    points = [(float(i), float(i % 7)) for i in range(10_000)]
    thin = thinned(points, 100)
    assert len(thin) == 100
    assert np.mean(thin, axis=0) == pytest.approx(np.mean(points, axis=0))
    assert smoothed(points[:4], 2) == ((0.0, 0.0), (1.0, 0.5), (2.0, 1.5), (3.0, 2.5))
    drawn = draw("x", [Series("x", "plain", tuple(points))])
    assert drawn is not None
    assert drawn.lines[0].path.count("L") < 400


def test_charts_bear_what_runs_bring() -> None:
    assert draw("nothing", [Series("x", "plain", ())]) is None
    assert draw("not finite", [Series("x", "plain", ((1.0, np.inf), (2.0, np.nan)))]) is None
    one = draw("one point", [Series("x", "plain", ((5.0, 2.0),), dots=True)])
    assert one is not None
    assert len(one.lines[0].dots) == 1
    assert draw("a constant", [Series("x", "plain", ((1.0, 3.0), (2.0, 3.0)))]) is not None
    assert draw("all zero", [Series("x", "plain", ((1.0, 0.0), (2.0, 0.0)))], from_zero=True)
    wide = draw("log", [Series("x", "plain", ((1.0, 0.0), (2.0, 0.01), (3.0, 900.0)))], log=True)
    assert wide is not None
    assert {"0.1", "1", "10", "100"} & {t.text for t in wide.y_ticks}
    steps = np.diff([t.at for t in wide.y_ticks])
    np.testing.assert_allclose(steps, steps[0], atol=0.02)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, section 1.4.3) of #rrggbb."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_stands_out_from_its_ground_in_light_and_dark(page: Node) -> None:
    style = page.one("style").text
    blocks = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", b)) for b in style.split(":root")[1:3]]
    assert len(blocks) == 2
    for colours in blocks:
        for ground in ("ground", "card", "sunk"):
            for ink in ("ink", "soft", "network", "people", "good"):
                a, b = sorted((luminance(colours[ground]), luminance(colours[ink])))
                assert (b + 0.05) / (a + 0.05) >= 4.5, (ground, ink)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 390])
def test_a_browser_shows_the_page_without_complaint_or_overflow(
    width: int, dark: bool, tab: browser.Tab, run: Path
) -> None:
    tab.show(write_report(run).as_uri(), width, dark=dark)
    assert tab.heard == browser.Heard()
    assert tab.width == width
    background = "getComputedStyle(document.body).backgroundColor"
    assert tab.page.evaluate(background) == ("rgb(19, 21, 25)" if dark else "rgb(250, 248, 244)")
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.width == width
    # Everything that is wider than the window scrolls inside its own box.
    outside = """[...document.querySelectorAll('main *, header *')].filter(e =>
        e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .cards')).length"""
    assert tab.page.evaluate(outside) == 0
    loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert tab.page.evaluate(loaded) is True


def test_the_browser_would_complain(tab: browser.Tab, run: Path, tmp_path: Path) -> None:
    source = write_report(run).read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.html"
    foreign = '<img src="https://example.invalid/x.png"><script>alert(1)</script>'
    wide = '<div style="width: 3000px">wide</div>'
    wrong.write_text(source.replace("<main>", f"<main>{foreign}{wide}"), encoding="utf-8")
    tab.show(wrong.as_uri())
    assert tab.width > 1280
    assert any("Content Security Policy" in c for c in tab.heard.complaints)


CHANGED = "had other settings before it was resumed"


def test_a_run_with_one_spec_is_made_again_by_it(page: Node) -> None:
    text = page.by_id("spec").text
    assert "this file makes the same run again" in text
    assert CHANGED not in text


def test_a_run_that_was_resumed_unchanged_is_made_again_by_its_spec(
    tiny_data: Path, tmp_path: Path
) -> None:
    stopped(tiny_data, tmp_path / "run", 5)
    rnnkit.train(resume=tmp_path / "run")
    text = page_of(write_report(tmp_path / "run")).by_id("spec").text
    assert "this file makes the same run again" in text


def test_settings_that_changed_are_told_with_the_update_up_to_which_they_held(
    tiny_data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    stopped(tiny_data, run, 5)
    rnnkit.train(resume=run, overrides=["train.epochs=7", "train.clip=5"])
    steps = rnnkit.train(resume=run, overrides=["train.optimizer.beta1=0.5", "train.epochs=8"])
    assert steps.finished
    section = page_of(write_report(run)).by_id("spec")
    assert "This file alone does not make the same run again" in section.text
    assert "this file makes the same run again" not in section.text
    assert [item.text for item in section.all("li")] == [
        "until update 5: train.epochs = 6; without train.clip",
        'until update 56: train.epochs = 7; train.optimizer = { use = "adam", '
        "learning_rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-08, amsgrad = false, weight_decay = 0.0 }",
    ]


def stopped(data: Path, folder: Path, step: int) -> None:
    """A run that is broken off after an update."""
    trainer: list[Trainer] = []

    def on_step(done: Step) -> None:
        trainer[0].stop = done.number == step

    rnnkit.train(
        rnnkit.parse_spec(SPEC),
        data,
        folder,
        on_start=lambda started, _: trainer.append(started),
        on_step=on_step,
    )
