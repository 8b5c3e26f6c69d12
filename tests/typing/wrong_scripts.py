"""Each line marked BAD is a mistake of somebody who uses rnnkit that mypy must reject, and no other line."""

from __future__ import annotations

import numpy as np

import rnnkit

run = rnnkit.trian("specs/lstm.toml")  # BAD: there is train
rnnkit.testing.chek(np.tanh, np.tanh)  # BAD: there is check
rnnkit.metrcs.scores({}, {})  # BAD: there is metrics
rnnkit.network.recurrent_layre  # BAD: there is recurrent_layer
from rnnkit import biuld  # BAD: there is build
from rnnkit.testing import chek  # BAD: there is check

rnnkit.build(3)  # BAD: a number is no spec
rnnkit.train("specs/lstm.toml", progress="yes")  # BAD: progress is true, false or left open
model = rnnkit.build("specs/lstm.toml")
model.caption(np.zeros((2, 3)), decoder=3)  # BAD: a number is no decoder
captions: list[int] = model.caption(np.zeros((2, 3)))  # BAD: captions are texts

model.caption(np.zeros((2, 3)), decoder="beam")
rnnkit.train("specs/lstm.toml", progress=True).model.caption(np.zeros((2, 3)))
rnnkit.testing.check(lambda x: (x, x), lambda dy, x: dy, x=np.zeros(3))
rnnkit.metrics.scores({1: "a man"}, {1: ["a man"]})["bleu4"]
rnnkit.load_plugin(rnnkit.kinds.Decoder, "beam")
