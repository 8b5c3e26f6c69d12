"""`rnnkit serve` says what `rnnkit caption` says, and how it came to it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import attrs
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from rnnkit.captioning.attention import attention
from rnnkit.captioning.serving import Served, desk, open_models
from rnnkit.captioning.serving.desk import Desk, Job
from rnnkit.captioning.serving.words import Telling
from rnnkit.cli import app
from rnnkit.data import END, NULL, START, Vocabulary
from rnnkit.data.photos import identity_of
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.errors import DataError
from rnnkit.kinds import Decoder, Encoder
from rnnkit.network.builder import assemble
from rnnkit.network.checkpoint import load_model, save_model
from rnnkit.network.sizes import Sizes
from rnnkit.numerics import log_softmax
from rnnkit.spec import load_plugin, parse_spec
from tests.servers import Place, serving

DECODERS = [
    "greedy",
    '{ use = "beam", width = 4, length_penalty = 0.7 }',
    '{ use = "sample", temperature = 1.5, draws = 3 }',
]


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run]) as found:
        yield found


@pytest.fixture(scope="module")
def photos(tiny_data: Path) -> list[Path]:
    return sorted((tiny_data / "images" / "val").iterdir())


@pytest.fixture
def served(small_run: Path) -> Served:
    (found,) = open_models([small_run])
    return found


def said(run: Path, photo: Path, *options: str) -> dict[str, Any]:
    """What `rnnkit caption` says of a photo alone."""
    told = CliRunner().invoke(app, ["caption", str(run), str(photo), "--json", *options])
    assert told.exit_code == 0, told.output
    (found,) = json.loads(told.stdout)
    return dict(found)


@pytest.mark.parametrize("decoder", DECODERS)
def test_captions_asked_for_at_once_are_those_of_the_command_line(
    place: Place, small_run: Path, photos: list[Path], decoder: str
) -> None:
    n_best = "1" if decoder == "greedy" else "3"
    query = urlencode({"decoder": decoder, "n_best": n_best})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda photo: place.caption(photo, query), photos))
    for photo, found in zip(photos, answers, strict=True):
        wanted = said(small_run, photo, "--decoder", decoder, "--n-best", n_best)
        assert found["caption"] == wanted["caption"]
        assert found["log_prob"] == pytest.approx(wanted["log_prob"], abs=1e-5)
        others = [(other["caption"], other["log_prob"]) for other in found["others"]]
        for (text, log_prob), other in zip(wanted["others"], others, strict=True):
            assert other == (text, pytest.approx(log_prob, abs=1e-5))
        assert [word["word"] for word in found["words"]] == found["caption"].split()


def test_words_have_the_probabilities_of_the_whole_network(
    place: Place, served: Served, photos: list[Path]
) -> None:
    found = place.caption(photos[0], urlencode({"decoder": '{"use": "beam", "width": 3}'}))
    model, words = served.model, served.model.vocabulary
    row = words.encode(found["caption"], model.length)
    log_probs = log_softmax(model.scores(served.pipeline.features(photos[:1]), row[None]))[0]
    for token, scores, word in zip(row[1:], log_probs, found["words"], strict=False):
        assert words.words[token] == word["word"]
        assert word["probability"] == pytest.approx(np.exp(scores[token]), rel=1e-4)
        scores[[words.null, words.start, words.unknown, token]] = -np.inf
        best = np.argsort(-scores)[:5]
        assert [w["word"] for w in word["instead"]] == [words.words[t] for t in best]
        np.testing.assert_allclose(
            [w["probability"] for w in word["instead"]], np.exp(scores[best]), rtol=1e-4
        )


def test_what_waits_with_the_same_decoder_is_done_together_unless_it_draws(
    served: Served, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[str, int]] = []
    write = desk._write

    def counted(jobs: list[Job]) -> Any:
        sizes.append((type(jobs[0].decoder).__name__, len(jobs)))
        return write(jobs)

    monkeypatch.setattr(desk, "_write", counted)
    prepared = [served.pipeline.encoder.prepare(np.array(Image.open(p))) for p in photos]
    kinds = [load_plugin(Decoder, name) for name in ("greedy", "sample", "beam")]
    writing = Desk()
    for _ in range(2):  # the first of each kind is alone, to see whether it draws
        jobs = [Job(served, kind, picture) for picture in prepared for kind in kinds]
        writing.submit(jobs)
        for job in jobs:
            job.said.result(30)
    writing.close()
    assert {size for name, size in sizes if name == "Sample"} == {1}
    for name in ("Greedy", "Beam"):
        of_kind = [size for kind, size in sizes if kind == name]
        assert of_kind[0] == 1
        assert sum(of_kind) == 16
        assert max(of_kind) > 1


def test_a_photo_that_fails_spoils_no_other(served: Served, photos: list[Path]) -> None:
    good = served.pipeline.encoder.prepare(np.array(Image.open(photos[0])))
    bad = np.zeros((3, 3), np.uint8)  # no picture
    greedy, writing = load_plugin(Decoder, "greedy"), Desk()
    jobs = [Job(served, greedy, picture) for picture in (good, good, bad, good)]
    writing.submit(jobs)
    wanted = served.model.caption_photos(photos[:1])
    assert [job.said.result(30).caption for job in jobs if job.prepared is good] == 3 * wanted
    with pytest.raises(Exception, match=r".+"):
        jobs[2].said.result(30)
    writing.close()


def events(body: bytes) -> list[tuple[str, Any]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", body.decode())
    return [(name, json.loads(data)) for name, data in found]


@pytest.mark.parametrize("decoder", DECODERS)
def test_events_are_the_words_then_the_caption(
    place: Place, photos: list[Path], decoder: str
) -> None:
    query = urlencode({"decoder": decoder})
    wanted = place.caption(photos[1], query)
    found = events(
        place.ask(f"/caption?{query}", photos[1].read_bytes(), Accept="text/event-stream").body
    )
    words = [data for name, data in found if name == "word"]
    assert [name for name, _ in found] == ["word"] * len(words) + ["caption", "done"]
    assert words == [{"model": wanted["model"], **word} for word in wanted["words"]]
    del wanted["seconds"], found[-2][1]["seconds"]
    assert found[-2][1] == wanted
    assert found[-1][1] == {"picture": {"width": 64, "height": 64}}


@pytest.mark.parametrize(("name", "early"), [("greedy", True), ("sample", True), ("beam", False)])
def test_a_word_is_told_when_it_is_chosen_and_not_in_a_search(
    served: Served, photos: list[Path], name: str, early: bool
) -> None:
    told: list[list[str]] = [[], [], []]
    writer = Telling(served.model, [lambda w, i=i: told[i].append(w.word) for i in range(3)])  # type: ignore[misc]
    features = served.pipeline.features(photos[:3])
    decoded = writer.decode(features, name)
    captions = [served.model.vocabulary.decode(row).split() for row in decoded.tokens[:, 0]]
    full = [len(caption) == decoded.tokens.shape[2] for caption in captions]
    wanted = [words[:-1] if cut else words for words, cut in zip(captions, full, strict=True)]
    assert told == (wanted if early else [[], [], []])


def test_several_models_stand_side_by_side(small_run: Path, photos: list[Path]) -> None:
    with serving([small_run, small_run / "best.h5"]) as place:
        about = place.ask("/model").json
        names = [model["name"] for model in about["models"]]
        assert names == ["small", "small-2"]
        both = place.ask("/caption", photos[0].read_bytes()).json["captions"]
        assert [one["model"] for one in both] == names
        one = place.caption(photos[0], "model=small-2")
        assert (one["model"], one["caption"]) == ("small-2", both[1]["caption"])
        stream = place.ask("/caption", photos[0].read_bytes(), Accept="text/event-stream").body
        assert sorted(d["model"] for name, d in events(stream) if name == "caption") == names


def test_a_model_that_looks_says_where(photos: list[Path], tmp_path: Path) -> None:
    words = Vocabulary.from_words([NULL, START, END, "boat", "sea", "two"])
    spec = """
    [model]
    image = [{ use = "regions", count = 49, units = 4 }]
    words = { use = "embedding", dim = 5 }
    [[model.rnn]]
    hidden = 4
    cell = { use = "attention-lstm", regions = 49 }
    """
    model = assemble(parse_spec(spec), Sizes(1280 * 49, words, 8))
    encoder = load_plugin(Encoder, "efficientnet-lite0", regions=True)
    save_model(
        attrs.evolve(model, pipeline=ImagePipeline(identity_of(encoder))), tmp_path / "looks.h5"
    )
    with serving([tmp_path / "looks.h5"]) as place:
        (about,) = place.ask("/model").json["models"]
        assert about["attention"] == {"rows": 7, "columns": 7}
        found = place.caption(photos[0])
    assert found["map"] == [7, 7]
    assert found["words"]
    looked = load_model(tmp_path / "looks.h5")
    assert looked.pipeline is not None
    features = looked.pipeline.features(photos[:1])
    wanted = list(attention(looked, features, found["caption"]))
    for word, (text, weights) in zip(found["words"], wanted, strict=True):
        assert word["word"] == text
        np.testing.assert_allclose(word["attention"], weights.ravel(), rtol=1e-5)


def test_a_form_is_answered_with_a_page(place: Place, photos: list[Path]) -> None:
    page = place.ask("/")
    assert page.status == 200
    assert 'enctype="multipart/form-data"' in page.body.decode()
    wanted = place.caption(photos[2], urlencode({"decoder": '{ use = "beam", width = 2 }'}))
    answer = place.ask("/", *form(photos[2], decoder="beam", **{"beam.width": "2"}))
    assert answer.status == 200
    assert wanted["caption"] in answer.body.decode()
    assert "data:image/png;base64," in answer.body.decode()
    wrong = place.ask("/", *form(photos[2], decoder="<q>x"))
    assert wrong.status == 400
    assert "&lt;q&gt;x" in wrong.body.decode()
    assert "<q>x" not in wrong.body.decode()


def form(photo: Path, **fields: str) -> tuple[bytes, str]:
    """A form as browsers send it, and its type."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'name="photo"; filename="a.png"\r\n\r\n' + photo.read_bytes())
    body = b"".join(b"--xyz\r\nContent-Disposition: form-data; " + p + b"\r\n" for p in parts)
    return body + b"--xyz--\r\n", "multipart/form-data; boundary=xyz"


def test_samples_are_the_pictures_of_val(place: Place, photos: list[Path]) -> None:
    (about,) = place.ask("/model").json["models"]
    assert about["samples"] == len(photos)
    shown = place.ask(f"/samples/{about['name']}/3")
    assert shown.headers["content-type"] == "image/png"
    path = photos[0].parent.parent / "shown.png"
    path.write_bytes(shown.body)
    np.testing.assert_array_equal(np.array(Image.open(path)), np.array(Image.open(photos[3])))
    path.unlink()
    by_number = place.ask("/caption?sample=3", method="POST").json["captions"][0]
    assert by_number["caption"] == place.caption(photos[3])["caption"]
    for wrong in ("sample=8", "sample=-1", "sample=x", ""):
        assert place.ask(f"/caption?{wrong}", method="POST").status == 400
    assert place.ask(f"/samples/{about['name']}/8").status == 404


def test_pictures_outside_of_the_data_folder_are_no_samples(
    small_run: Path, tiny_data: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / "data")
    lines = (data / "val_images.txt").read_text().splitlines()
    (tmp_path / "secret.png").write_bytes((data / "images" / "val" / "00000.png").read_bytes())
    lines[0], lines[1], lines[2] = "../../secret.png", str(tmp_path / "secret.png"), "val/none.png"
    (data / "val_images.txt").write_text("\n".join(lines) + "\n")
    (found,) = open_models([small_run], data)
    assert [path.name for path in found.samples] == [f"{i:05}.png" for i in range(3, 8)]


def test_a_model_that_does_not_know_its_encoder_is_not_served(
    small_run: Path, tiny_data: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "encoder.json").unlink()
    lost = attrs.evolve(load_model(small_run), pipeline=None, seen=None)
    save_model(lost, tmp_path / "lost.h5")
    with pytest.raises(DataError, match="rnnkit data describe DIR --encoder NAME"):
        open_models([tmp_path / "lost.h5"], data)
    (found,) = open_models([tmp_path / "lost.h5"], tiny_data)
    assert found.pipeline.width == lost.feature_width
