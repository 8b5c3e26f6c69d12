"""`rnnkit build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.options import AsJson, DataFolder, Force, Overrides, SpecFile
from rnnkit.system.memory import size
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rnnkit.describing.summary import Size, Summary
    from rnnkit.network.model import Captioner


def build(
    spec: SpecFile,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="MODEL", help="Write the model with its initial weights."
        ),
    ] = None,
    override: Overrides = None,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Assemble the network of a spec, and show what it is made of."""
    from rnnkit.cli import show
    from rnnkit.describing.summary import size_in_words, summarize
    from rnnkit.network.builder import build as build_model
    from rnnkit.network.checkpoint import save_model
    from rnnkit.network.maps import about_features
    from rnnkit.network.sizes import as_spec, opened
    from rnnkit.system.outputs import MODEL, check_output

    read = as_spec(spec, override or ())
    if out:
        check_output(out, MODEL, (spec,), force=force)
    with opened(read, data) as dataset:
        model = build_model(read, dataset)
        words = size_in_words(read, dataset) if dataset else None
        assumed = about_features(model, dataset)
        summary = summarize(model)
    if assumed is not None:
        show.warn(assumed)
    if out:
        save_model(model, out)
    if as_json:
        show.print_json(_json(model, summary, words))
    else:
        _print(model, summary, words)
        if out:
            say(f"\nwrote {out}")


def _print(model: Captioner, summary: Summary, words: Size | None) -> None:
    from rnnkit.cli import show
    from rnnkit.spec import write_spec

    rows = [
        (
            part.name,
            part.plugin,
            f"{part.package} {part.version}",
            f"{part.in_features}->{part.out_features}",
            show.count(part.parameters),
            show.count(part.multiply_adds),
            size(part.forward_bytes),
            size(part.backward_bytes),
        )
        for part in summary.parts
    ]
    total = (
        "total",
        "",
        "",
        "",
        show.count(summary.parameters),
        show.count(summary.multiply_adds),
        size(summary.forward_bytes),
        size(summary.backward_bytes),
    )
    columns = [
        "part",
        "plugin",
        "package",
        "shape",
        ">params",
        ">mult-adds",
        ">forward",
        ">backward",
    ]
    console = show.console()
    show.print_table(
        console,
        columns,
        rows,
        folding=("plugin", "package"),
        spare=("package", "backward", "forward", "shape", "mult-adds"),
        total=total,
    )
    console.print(
        f"\nMultiply-adds of the forward pass and bytes are for one caption of {summary.steps} steps. "
        f"Forward: parameters and what is kept; backward: gradients.\n"
        f"{model.feature_width} features, {show.count(len(model.vocabulary))} "
        f"{'characters' if model.vocabulary.by_character else 'words'}, {model.dtype}."
    )
    if words:
        console.print(_against(words, model, summary))
    for note in model.notes:
        console.print(note, soft_wrap=True)
    console.print("\nResolved spec\n", style="bold")
    console.print(write_spec(model.spec).rstrip())


def _against(words: Size, model: Captioner, summary: Summary) -> str:
    """What characters instead of words do to the network's size."""
    from rnnkit.cli import show

    return (
        f"characters: vocabulary {show.count(len(model.vocabulary))} instead of "
        f"{show.count(words.vocabulary)}, captions up to {model.length} tokens instead of "
        f"{words.length}, {show.count(summary.parameters)} parameters instead of "
        f"{show.count(words.parameters)}"
    )


def _json(model: Captioner, summary: Summary, words: Size | None) -> dict[str, object]:
    import attrs

    from rnnkit.spec import write_spec

    return {
        "parts": [attrs.asdict(part) for part in summary.parts],
        "total": {
            "parameters": summary.parameters,
            "multiply_adds": summary.multiply_adds,
            "forward_bytes": summary.forward_bytes,
            "backward_bytes": summary.backward_bytes,
        },
        "shapes": {name: list(a.shape) for name, a in model.parameters.items()},
        "steps": summary.steps,
        "features": model.feature_width,
        "vocabulary": len(model.vocabulary),
        "length": model.length,
        "tokens": model.spec.data.tokens,
        "in_words": words and attrs.asdict(words),
        "dtype": str(model.dtype),
        "spec": write_spec(model.spec),
    }
