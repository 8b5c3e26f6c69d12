"""From a run's folder to its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import attrs

from rnnkit.captioning.own_data import opened_for
from rnnkit.describing.report.captions import Look, look
from rnnkit.describing.report.curves import best_record, curves, rows
from rnnkit.describing.report.environment import environment
from rnnkit.describing.report.network import diagram
from rnnkit.describing.report.numbers import count, duration, figure, short
from rnnkit.describing.report.page import Page, Tile, check_installed, render
from rnnkit.describing.report.settings import stretches
from rnnkit.describing.report.vocabulary import compare_words
from rnnkit.describing.summary import summarize
from rnnkit.errors import DataError
from rnnkit.network.checkpoint import BEST, LAST, load_model
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import label
from rnnkit.spec import write_spec
from rnnkit.system.files import write_text_whole
from rnnkit.training import History, Record, read_history
from rnnkit.training.folders import as_run

NAME = "report.html"

TRIES = 5
"""How often model and history are read, of a run that writes them meanwhile."""


@attrs.frozen
class _Data:
    """What the page says of the data: captions of one split, and sizes of all."""

    look: Look
    split: str
    images: int
    captions: int


def write_report(
    run: str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    images: int = 1000,
) -> Path:
    """Write the page of a run, with the captions of its best model if the data is there.

    Args:
        run: the run's folder.
        data: the data folder; the spec's `data.path` if left open.
        out: the file; `report.html` in the run's folder if left open.
        images: how many images to caption at most, of val, or of train if there is no val.

    Returns:
        The file.

    Raises:
        RnnkitError: what writing takes is not installed.
        CheckpointError: there is no such run, it is damaged, or the file cannot be written.
    """
    check_installed()
    run = as_run(run)
    file = run / (BEST if (run / BEST).exists() else LAST)
    model, history = _at_one_moment(run, file)
    spec, missing = model.spec, []
    found: _Data | None = None
    try:
        found = _read(model, data, images, lambda text: missing.append(f"{text}."))
    except DataError as e:
        missing.append(
            f"There are no captions here, because the data could not be read: {e}. "
            "Write this page again once they can be, with --data DIR if they have moved."
        )
    if found and found.look.missing:
        missing.append(
            f"Scores are left out. {found.look.missing[0].upper()}{found.look.missing[1:]}."
        )
    if not history.records:
        missing.append("There are no curves yet: this run has not been evaluated so far.")
    summary = summarize(model)
    headings, table = rows(history, spec)
    page = Page(
        title=run.resolve().name,
        lead=_lead(model, history, found),
        tiles=list(_tiles(model, history, found)),
        charts=curves(history, spec),
        headings=headings,
        rows=table,
        summary=summary,
        network=diagram(model, summary),
        model=file.name,
        split=found.split if found else "",
        look=found.look if found else None,
        words=compare_words(found.look.evaluation.captions) if found else None,
        missing=missing,
        spec=write_spec(spec),
        stretches=stretches(run, spec),
        environment=environment(datetime.now().astimezone()),
    )
    written = run / NAME if out is None else Path(out)
    # A path may have bytes that are no text.
    text = render(page).encode("utf-8", "backslashreplace").decode("utf-8")
    write_text_whole(written, text)
    return written


def _at_one_moment(run: Path, file: Path) -> tuple[Captioner, History]:
    """The model of a run and its history, which another process may be replacing."""
    for _ in range(TRIES):
        history = read_history(run)
        model = load_model(file).frozen()
        if read_history(run) == history:
            break
    return model, history


def _read(
    model: Captioner, folder: str | Path | None, images: int, note: Callable[[str], None]
) -> _Data:
    with opened_for(model, folder, note) as dataset:
        split = "val" if "val" in dataset.splits else next(iter(dataset.splits))
        train = dataset.splits.get("train", dataset.split(split))
        return _Data(look(model, dataset, split, images), split, train.images, len(train.captions))


def _lead(model: Captioner, history: History, found: _Data | None) -> str:
    units = [
        f"{level.hidden:,} {label(row.cell).partition('(')[0]}"
        for level, row in zip(model.body.levels, model.spec.model.rnn, strict=True)
    ]
    text = f"A network of {' and '.join(units)} units"
    if history.records:
        text += f" that learnt to caption pictures in {duration(history.records[-1].seconds)}"
        if found:
            text += f", from {count(found.captions)} captions of {count(found.images)} pictures"
    best = best_record(history)
    if best is None or best.val_perplexity is None:
        return f"{text}."
    token = "character" if model.vocabulary.by_character else "word"
    return (
        f"{text}. On pictures it has not seen, it is as unsure of each next {token} as if it had to choose "
        f"among {figure(best.val_perplexity)} equally likely ones."
    )


def _tiles(model: Captioner, history: History, found: _Data | None) -> Iterator[Tile]:
    best = best_record(history)
    if best:
        yield _surprise(best)
    if found:
        n = found.look.evaluation.images
        for name, title in (("bleu4", "BLEU-4"), ("cider", "CIDEr")):
            if name in found.look.scores:
                value = f"{found.look.scores[name]:.3f}"
                yield Tile(title, value, f"captions of {count(n)} {found.split} images")
    parameters = model.size
    yield Tile("parameters", short(parameters), f"{count(parameters)}, {model.dtype}")
    if history.records:
        last = history.records[-1]
        yield Tile(
            "time",
            duration(last.seconds),
            f"{count(last.tokens_per_second)} tokens a second at the end",
        )
        train = model.spec.train
        yield Tile(
            "updates",
            count(last.step),
            f"{count(last.epoch)} of {count(train.epochs)} epochs, {count(train.batch)} captions each",
        )
    if found:
        kind = "characters" if model.vocabulary.by_character else "words"
        yield Tile(
            "captions to learn from",
            short(found.captions),
            f"{count(found.images)} images, {count(len(model.vocabulary))} {kind}",
        )


def _surprise(best: Record) -> Tile:
    if best.val_nats is None or best.val_perplexity is None:
        return Tile(
            "train perplexity",
            figure(best.train_perplexity),
            f"{best.train_nats:.3f} nats per token",
        )
    return Tile(
        "val perplexity",
        figure(best.val_perplexity),
        f"{best.val_nats:.3f} nats per token, at update {count(best.step)}",
    )
