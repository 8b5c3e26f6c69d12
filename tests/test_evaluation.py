"""Evaluating a model on a split, from Python and from the command line."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from typer.testing import CliRunner

import rnnkit
from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.evaluation import evaluate, nats_per_token, perplexity
from rnnkit.captioning.images import caption_split
from rnnkit.cli import app
from rnnkit.data.references import read_references
from rnnkit.errors import DataError, RnnkitError
from rnnkit.metrics import installed, scores
from rnnkit.network.model import Captioner
from rnnkit_builtin.decoders.beam import Beam
from tests.datafolders import write_data_folder

SPEC = """
[model]
words = { use = "embedding", dim = 12 }
[[model.rnn]]
hidden = 16
cell = "gru"
[train]
epochs = 12
batch = 16
optimizer = { use = "adam", learning_rate = 2e-2 }
"""

needs_scorers = pytest.mark.skipif(
    not installed(),
    reason='the scorers are not installed: pip install "rnnkit[eval]"',
)


@pytest.fixture(scope="module")
def run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    (folder / "small.toml").write_text(SPEC)
    return rnnkit.train(folder / "small.toml", tiny_data, folder / "run").folder


@pytest.fixture(scope="module")
def model(run: Path) -> Captioner:
    return rnnkit.load(run)


@pytest.fixture
def folder(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of the data, to be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_data, copy, ignore=shutil.ignore_patterns("images"))
    return copy


def annotated(folder: Path, split: str = "val") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"captions_{split}.json").read_text())
    return found


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object], split: str = "val") -> None:
    content = annotated(folder, split)
    change(content)
    (folder / f"captions_{split}.json").write_text(json.dumps(content))


def test_nats_are_the_mean_over_all_tokens(model: Captioner, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        train = data.split("train")
        nats, tokens = model.nats(
            train.features.rows(train.image_idxs, model.dtype), train.captions
        )
        found = nats_per_token(model, train)
    assert found == pytest.approx(nats / tokens, rel=1e-6)
    assert perplexity(found) == math.exp(found)
    assert perplexity(1e4) == math.inf


def test_a_limit_is_one_for_captions_and_likelihood(model: Captioner, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        val = data.split("val")
        rows = np.flatnonzero(val.image_idxs < 3)
        features = val.features.rows(val.image_idxs[rows], model.dtype)
        nats, tokens = model.nats(features, val.captions[rows])
        found = evaluate(model, data, limit=3, metrics=())
    assert found.images == len(found.captions) == len(found.image_ids) == 3
    assert found.references == len(rows)
    assert found.nats == pytest.approx(nats / tokens, rel=1e-6)
    assert found.scores == {}


@needs_scorers
def test_captions_are_judged_by_what_people_wrote(model: Captioner, folder: Path) -> None:
    def shout(content: dict[str, Any]) -> None:
        for one in content["annotations"]:
            one["caption"] = one["caption"].upper() + ", she's sure!"

    rewrite(folder, shout)
    with rnnkit.open_data(folder) as data:
        found = evaluate(model, data)
        said = caption_split(model, data)
    texts: dict[int, list[str]] = {image: [] for image in range(8)}
    for one in annotated(folder)["annotations"]:
        texts[one["image_id"]].append(one["caption"])
    assert found.source == folder / "captions_val.json"
    assert [one.truth for one in found.captions] == list(texts.values())
    assert [one.caption for one in found.captions] == [one.caption for one in said]
    assert found.scores == scores({one.image: one.caption for one in said}, texts)
    assert list(found.scores) == ["bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"]


def test_annotations_are_matched_by_names_and_not_by_order(folder: Path) -> None:
    with rnnkit.open_data(folder) as data:
        before = read_references(data, "val")
        rewrite(folder, lambda content: content["images"].reverse())
        assert read_references(data, "val") == before
        rewrite(folder, lambda content: content["images"].append({"id": "x", "file_name": "x.png"}))
        assert read_references(data, "val") == before
    assert before.image_ids == tuple(range(8))


def test_ids_of_images_are_those_of_the_annotations(model: Captioner, folder: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["id"] = 100 - image["id"]
        for one in content["annotations"]:
            one["image_id"] = 100 - one["image_id"]

    rewrite(folder, rename)
    with rnnkit.open_data(folder) as data:
        found = evaluate(model, data, limit=2, metrics=())
    assert found.results() == [
        {"image_id": 100, "caption": found.captions[0].caption},
        {"image_id": 99, "caption": found.captions[1].caption},
    ]


def test_without_annotations_tokens_are_the_references(model: Captioner, folder: Path) -> None:
    with rnnkit.open_data(folder) as data:
        raw = evaluate(model, data, metrics=())
        (folder / "captions_val.json").unlink()
        found = evaluate(model, data, metrics=())
    assert found.source is None
    # The captions of scenes are all lower case and without punctuation, so nothing is lost.
    assert [sorted(one.truth) for one in found.captions] == [
        sorted(one.truth) for one in raw.captions
    ]
    assert found.image_ids == tuple(range(8))


def test_without_a_list_of_names_order_decides(folder: Path) -> None:
    with rnnkit.open_data(folder) as data:
        before = read_references(data, "val")
        (folder / "val_images.txt").unlink()
        assert read_references(data, "val") == before
        rewrite(folder, lambda content: content["images"].append({"id": "x", "file_name": "x.png"}))
        with pytest.raises(DataError, match="has 9 images, but there are 8 rows of features"):
            read_references(data, "val")


def test_annotations_of_other_images_are_refused(model: Captioner, folder: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        content["images"][4]["file_name"] = "other.png"

    rewrite(folder, rename)
    with (
        rnnkit.open_data(folder) as data,
        pytest.raises(
            DataError,
            match=r"line 5 of val_images\.txt is 'val/00004\.png', but no image has that name",
        ),
    ):
        evaluate(model, data)


def test_the_layout_of_the_assignment_may_have_annotations_too(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", assignment=True)
    content = {
        "images": [{"id": k, "file_name": f"val{k}.png"} for k in (2, 0, 3, 1)],
        "annotations": [{"image_id": k, "caption": f"Red no. {k}!"} for k in range(4)],
    }
    (folder / "captions_val.json").write_text(json.dumps(content))
    with rnnkit.open_data(folder) as data:
        found = read_references(data, "val")
        assert read_references(data, "train").source is None
    assert found.captions == tuple((f"Red no. {k}!",) for k in range(4))
    assert found.image_ids == (0, 1, 2, 3)


@needs_scorers
def test_an_image_without_annotations_is_told(model: Captioner, folder: Path) -> None:
    def forget(content: dict[str, Any]) -> None:
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 5]

    rewrite(folder, forget)
    with rnnkit.open_data(folder) as data:
        with pytest.raises(DataError, match="the list of references of image 5 is empty"):
            evaluate(model, data)
        assert evaluate(model, data, metrics=()).images == 8
        assert evaluate(model, data, limit=5).images == 5


def test_an_unknown_metric_is_told_before_any_work(model: Captioner, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        spoiled = attrs.evolve(data, splits={})
        with pytest.raises(RnnkitError, match=r"no metric is called 'belu'; did you mean 'bleu'\?"):
            evaluate(model, spoiled, metrics=("belu",))


def test_a_network_with_itself_is_as_good_as_alone(model: Captioner, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        alone = evaluate(model, data, metrics=())
        twice = evaluate(Ensemble([model, model]), data, metrics=())
    assert twice.nats == pytest.approx(alone.nats, rel=1e-6)
    assert twice.results() == alone.results()


def test_characters_are_judged_as_text(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SPEC)
    model = rnnkit.build(tmp_path / "small.toml", tiny_data, ["data.tokens=char"])
    with rnnkit.open_data(tiny_data) as data:
        found = evaluate(model, data, metrics=())
        assert found.captions[0].truth == [*read_references(data, "val").captions[0]]
    assert found.by_character
    assert found.nats == pytest.approx(math.log(len(model.vocabulary)), rel=0.1)  # knows nothing


def test_the_decoder_is_told_with_its_options(model: Captioner, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        wide = evaluate(model, data, decoder=Beam(2), metrics=())
        assert wide.decoder.startswith("beam(width=2")
        assert evaluate(model, data, metrics=()).decoder == "greedy"


def command(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}\nfrom rnnkit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_scorers
def test_the_command_prints_what_python_computes(
    run: Path, model: Captioner, tiny_data: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results.json"
    beam = '{ use = "beam", width = 2 }'
    told = command("eval", run, "--json", "--results", results, "--decoder", beam)
    assert told.returncode == 0, told.stderr
    with rnnkit.open_data(tiny_data) as data:
        found = evaluate(model, data, decoder=Beam(2))
    shown = json.loads(told.stdout)
    assert shown["scores"] == pytest.approx(found.scores)
    assert shown["nats_per_token"] == pytest.approx(found.nats, rel=1e-6)
    assert shown["perplexity"] == pytest.approx(found.perplexity, rel=1e-6)
    assert (shown["images"], shown["references"]) == (found.images, found.references)
    assert shown["annotations"] == str(tiny_data / "captions_val.json")
    assert json.loads(results.read_text()) == found.results()

    table = command("eval", run, "--decoder", beam).stdout
    assert f"{tiny_data}, val: 8 images, " in table
    assert "decoder beam(width=2" in table
    rows = dict(line.rsplit(maxsplit=1) for line in table.splitlines()[-9:])
    assert rows["BLEU-4"] == f"{found.scores['bleu4']:.3f}"
    assert rows["perplexity"] == f"{found.perplexity:.2f}"


def test_several_models_write_together(run: Path, tiny_data: Path) -> None:
    told = command("eval", run, run, "--data", tiny_data, "--metrics", "", "--split", "train")
    assert told.returncode == 0, told.stderr
    assert f"{run} + {run}, an ensemble" in told.stdout
    assert "train: 24 images" in told.stdout


def test_without_the_scorers_there_is_perplexity(run: Path) -> None:
    away = "sys.modules['pycocoevalcap'] = None"
    told = command("eval", run, before=away)
    assert told.returncode == 0
    assert "perplexity" in told.stdout
    assert "BLEU" not in told.stdout
    assert told.stderr.splitlines() == [
        'BLEU, ROUGE-L, CIDEr and the like need pycocoevalcap: pip install "rnnkit[eval]"'
    ]
    asked = command("eval", run, "--metrics", "cider", before=away)
    assert asked.returncode == 2
    assert asked.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--metrics", "rogue_l"], "no metric is called 'rogue_l'; did you mean 'rouge_l'?"),
        (["--split", "test"], "has no split 'test'"),
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--decoder", "baem"], "no decoder is called 'baem'; did you mean 'beam'?"),
        (["--results", "/dev/null/x"], "cannot write /dev/null/x"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], text: str, run: Path) -> None:
    told = CliRunner().invoke(app, ["eval", str(run), *arguments]).exception
    assert isinstance(told, RnnkitError)
    assert text in str(told)
    assert len(str(told).splitlines()) == 1


def test_flickr8k_has_what_people_wrote(real_data: Path) -> None:
    with rnnkit.open_data(real_data / "flickr8k") as data:
        found = read_references(data, "val")
        val = data.split("val")
        assert all(
            len(texts) == len(val.captions_of(row)) for row, texts in enumerate(found.captions)
        )
    assert found.image_ids[:3] == (977, 5400, 6911)
    assert sum(map(len, found.captions)) == 5000


def test_the_small_coco_has_what_people_wrote(real_data: Path) -> None:
    with rnnkit.open_data(real_data / "coco_mini_cs231n") as data:
        found = read_references(data, "val")
    assert found.image_ids[:3] == (61, 73, 283)
    assert sum(map(len, found.captions)) == 501
