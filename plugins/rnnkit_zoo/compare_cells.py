"""Every cell that is installed in one network, as wide as it takes for the parameters of an LSTM; docs/zoo.md.

python plugins/rnnkit_zoo/compare_cells.py data/flickr8k --hidden 256 --epochs 3 --json flickr8k.json
python plugins/rnnkit_zoo/compare_cells.py --page docs/zoo.md flickr8k.json scenes.json
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rnnkit
from rnnkit.kinds import RecurrentCell
from rnnkit.parallel import settle
from rnnkit.registry import entries_of, load
from rnnkit.training import Failed, Result

SPEC = """
[model]
words = [{ use = "embedding", dim = 256 }, { use = "dropout", rate = 0.3 }]
head = [{ use = "dropout", rate = 0.3 }, "affine"]
[[model.rnn]]
hidden = 8
cell = "lstm"
[train]
epochs = 3
batch = 128
clip = 5.0
optimizer = { use = "adam", learning_rate = 2e-3 }
schedule = { use = "warm-up", steps = 100, then = "cosine" }
"""

METRICS = ("bleu", "cider")
BESIDE_THE_POINT = ("attention-lstm",)  # reads a feature map


def cells() -> list[str]:
    """The names of all cells that are installed, rnnkit's own first."""
    found = sorted((e.package != "rnnkit", e.name) for e in entries_of(RecurrentCell))
    return [name for _, name in found if name not in BESIDE_THE_POINT]


def spec_of(cell: str, hidden: int, epochs: int) -> rnnkit.Spec:
    """The spec with this cell."""
    return rnnkit.parse_spec(
        SPEC,
        overrides=[
            f"model.rnn[0].cell={cell}",
            f"model.rnn[0].hidden={hidden}",
            f"train.epochs={epochs}",
        ],
    )


def measure(folder: Path, hidden: int, epochs: int) -> dict[str, Any]:
    """Train every cell on a data folder, one after the other, with about the parameters of an LSTM."""
    with rnnkit.open_data(folder) as data:
        lstm = rnnkit.build(spec_of("lstm", hidden, epochs), data)
        rows: list[dict[str, Any]] = []

        def told(result: Result) -> None:
            cell = names[result.number]
            if isinstance(result, Failed):
                raise SystemExit(f"{cell}: {result.reason}")
            rows.append(
                {
                    "cell": cell,
                    "hidden": result.hidden[0],
                    "parameters": result.parameters,
                    "seconds_per_epoch": result.seconds / epochs,
                    "val_nats": result.val_nats,
                    **result.scores,
                }
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)

        names = cells()
        rnnkit.compare(
            [spec_of(cell, hidden, epochs) for cell in names],
            data,
            equal_parameters=sum(w.size for w in lstm.parameters.values()),
            metrics=METRICS,
            on_result=told,
        )
    return {"data": folder.name, "hidden": hidden, "epochs": epochs, "rows": rows}


def about() -> list[str]:
    """A section that says of each cell, as its class does, what it is and when to try it."""
    lines = ["## What each is, and when to try it", ""]
    for name in sorted(entry.name for entry in entries_of(RecurrentCell)):
        what, when = (inspect.getdoc(load(RecurrentCell, name)) or "").split("\n\n")[:2]
        lines += [f"**{name}**: {' '.join(what.split())} {' '.join(when.split())}", ""]
    return lines


def page(found: Sequence[dict[str, Any]]) -> str:
    """The page with a table for each measurement."""
    lines = [
        "# Cells compared",
        "",
        "This page compares every cell of rnnkit and of `plugins/rnnkit_zoo` in one network. The width of each cell is "
        "chosen so that the network has about as many parameters as with the LSTM. All are trained on the same captions, in "
        "the same order and from the same seed. Nothing is tuned for any of them: word vectors of width 256, dropout .3 on "
        "words and outputs, Adam at 2e-3 with warm-up and cosine, batches of 128. The scores are those of greedy captions "
        "of the val split.",
        "",
        "After so few epochs, the numbers show how fast a cell learns rather than how well it does in the end. The seconds "
        "were measured on two cores that had other work at times.",
        "",
        "<!-- not run: it takes half an hour, and Flickr8k is given out on request -->",
        "```sh",
        "pip install -e plugins/rnnkit_zoo",
    ]
    for run in found:
        lines.append(
            f"python plugins/rnnkit_zoo/compare_cells.py data/{run['data']} --hidden {run['hidden']} "
            f"--epochs {run['epochs']} --json {run['data']}.json"
        )
    names = " ".join(f"{run['data']}.json" for run in found)
    lines += [f"python plugins/rnnkit_zoo/compare_cells.py --page docs/zoo.md {names}", "```", ""]
    lines += about()
    for run in found:
        lines += [
            f"## {run['data']}, {run['epochs']} epochs",
            "",
            "| cell | H | parameters | val nats | BLEU-4 | CIDEr | seconds an epoch |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {r['cell']} | {r['hidden']} | {r['parameters']:,} | {r['val_nats']:.3f} | {r['bleu4']:.3f} "
            f"| {r['cider']:.3f} | {r['seconds_per_epoch']:.1f} |"
            for r in sorted(run["rows"], key=lambda r: float(r["val_nats"]))
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure, or write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("inputs", nargs="+", type=Path, help="a data folder; with --page, results")
    options.add_argument("--hidden", type=int, default=256, help="H of the LSTM")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--json", type=Path, help="where to write the results")
    options.add_argument("--page", type=Path, help="write this page of results")
    given = options.parse_args()
    if given.page:
        found = [json.loads(file.read_text(encoding="utf-8")) for file in given.inputs]
        given.page.write_text(page(found), encoding="utf-8")
        return
    text = json.dumps(measure(given.inputs[0], given.hidden, given.epochs), indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    settle()
    main()
