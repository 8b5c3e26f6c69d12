"""A model file as rnnkit 0.1.0 wrote it before its modules moved into rooms, and what that rnnkit made of it.

    git worktree add ../before d388e34 && pip install -e ../before
    python tests/reference/make_old_model.py

writes old_model.h5 and old_model.json beside this file: features (N, F), captions (N, T) as tokens, the loss of
these and the norm of each parameter's gradient, and the captions that its decoder writes. Everything is float64.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import numpy as np

import rnnkit

HERE = Path(__file__).parent

SPEC = """
format = 1

[data]
features = 6
vocabulary = 10
length = 9

[model]
dtype = "float64"
seed = 3
image = [{ use = "affine", units = 5 }, { use = "leaky-relu", slope = 0.1 }, "affine"]
words = { use = "embedding", dim = 3 }

[[model.rnn]]
hidden = 4
cell = { use = "lstm", forget_bias = 1.0 }

[[model.rnn]]
hidden = 4
cell = { use = "vanilla", activation = "sigmoid" }

[caption]
decoder = { use = "beam", width = 3, no_repeat = 2 }
"""

WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "a", "red", "circle", "above", "blue", "square")
CAPTIONS = np.array(
    [[1, 4, 5, 6, 7, 4, 8, 9, 2], [1, 4, 3, 6, 2, 0, 0, 0, 0], [1, 9, 8, 7, 6, 5, 2, 0, 0]]
)


def main() -> None:
    rng = np.random.default_rng(5)
    features = rng.standard_normal((len(CAPTIONS), 6)).round(3)
    model = rnnkit.build(rnnkit.parse_spec(SPEC))
    model = attrs.evolve(model, vocabulary=attrs.evolve(model.vocabulary, words=WORDS))
    for parameter in model.parameters.values():  # larger than initial ones, or all images are one
        parameter += 0.7 * rng.standard_normal(parameter.shape)
    for _ in range(300):
        _, gradients = model.loss_and_gradients(features, CAPTIONS)
        for name, parameter in model.parameters.items():
            parameter -= 0.1 * gradients[name]
    rnnkit.save(model, HERE / "old_model.h5")
    loss, gradients = model.loss_and_gradients(features, CAPTIONS)
    recorded = {
        "features": features.tolist(),
        "tokens": CAPTIONS.tolist(),
        "loss": loss,
        "gradient_norms": {name: float(np.linalg.norm(g)) for name, g in gradients.items()},
        "captions": model.caption(features),
    }
    (HERE / "old_model.json").write_text(json.dumps(recorded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
