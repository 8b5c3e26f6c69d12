"""A model of a spec, with weights from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from rnnkit.captioning.exporting.safetensors_file import read_torch
from rnnkit.network.builder import assemble
from rnnkit.network.checkpoint import save_model
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import as_spec, opened, sizes_of
from rnnkit.spec import Spec


def import_torch(
    weights: Path,
    spec: str | Path | Spec,
    out: Path,
    data: Path | None = None,
    renamed: Sequence[tuple[str, str]] = (),
    overrides: Sequence[str] = (),
) -> Captioner:
    """Build the network of a spec, give it the weights of a state dict of PyTorch, and write the model file.

    Args:
        weights: a safetensors file.
        spec: a file, or a spec.
        out: the model file to write.
        data: a data folder, which has the words and says how features come from photos; the spec's `data.path` if
            left open.
        renamed: as `from_torch` has it.
        overrides: `path=value` texts that go over the spec's values.

    Returns:
        The network.

    Raises:
        SpecError, DataError: the spec, the data or the weights have mistakes, or do not fit each other.
        CheckpointError: the model file cannot be written.
    """
    spec = as_spec(spec, overrides)
    if data is not None:
        spec = spec.with_data(data)
    with opened(spec, None) as dataset:
        model = assemble(spec, sizes_of(spec, dataset))
        pipeline = None if dataset is None else dataset.pipeline
    model = attrs.evolve(read_torch(model, weights, renamed), pipeline=pipeline)
    save_model(model, out)
    return model
