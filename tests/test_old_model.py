"""Model files outlive the modules that wrote them: they name plugins, and no module of rnnkit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rnnkit

REFERENCE = Path(__file__).parent / "reference"


def test_a_model_file_from_before_the_rooms_captions_and_learns_as_it_did() -> None:
    recorded = json.loads((REFERENCE / "old_model.json").read_text(encoding="utf-8"))
    features, tokens = np.array(recorded["features"]), np.array(recorded["tokens"])
    model = rnnkit.load(REFERENCE / "old_model.h5")
    loss, gradients = model.loss_and_gradients(features, tokens)
    norms = {name: float(np.linalg.norm(g)) for name, g in gradients.items()}
    assert model.caption(features) == recorded["captions"]
    assert loss == pytest.approx(recorded["loss"], rel=1e-12)
    assert norms == pytest.approx(recorded["gradient_norms"], rel=1e-10)
