"""A projection of features onto a few directions, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np

from rnnkit.data.features.reading import find_dataset, open_hdf5, reading
from rnnkit.errors import DataError, listed
from rnnkit.kinds.arrays import Array
from rnnkit.system.hdf5 import writing


@attrs.frozen(eq=False)
class PCA:
    """A projection onto the directions in which features vary most: `(x - mean) @ components.T * scale`.

    One scale for all dimensions makes their variance 1 on average over the rows it was fitted to, so that the
    dimensions keep their proportions and initial weights need not know the features.

    Attributes:
        mean: (F,), float64, of the rows it was fitted to.
        components: (K, F), float64, orthonormal rows, that of largest variance first; the entry of largest
            magnitude of each is positive.
        scale: one over the root of the mean of the K variances.
        kept: the share of the variance that the K dimensions have, 0 to 1; None where only the projection is known.
    """

    mean: Array
    components: Array
    scale: float
    kept: float | None = None

    def project(self, rows: Array) -> Array:
        """(n, F) to (n, K), float32."""
        centred = rows.astype(np.float64) - self.mean
        projected: Array = centred @ (self.components.T * self.scale)
        return projected.astype(np.float32)

    def same(self, other: PCA) -> bool:
        """Whether another one projects as this one does."""
        return (
            self.scale == other.scale
            and np.array_equal(self.mean, other.mean)
            and np.array_equal(self.components, other.components)
        )


def write_pca(path: Path, pca: PCA) -> None:
    """Write the projection into a new HDF5 file: datasets `mean`, `components` and `scale`."""
    with writing(path) as file:
        file["mean"], file["components"], file["scale"] = pca.mean, pca.components, pca.scale


def pca_of(arrays: Mapping[str, Array]) -> PCA:
    """The projection of arrays `mean`, `components` and `scale`, as files have them.

    Raises:
        KeyError: one is missing.
        ValueError: their shapes do not fit each other, or some of their numbers are not finite.
    """
    mean, components, scale = (arrays[name] for name in ("mean", "components", "scale"))
    if scale.ndim or components.ndim != 2 or components.shape[1:] != mean.shape:
        raise ValueError(
            f"the PCA has mean {mean.shape}, components {components.shape} and scale {scale.shape}, not (F,), (K, F) "
            "and one number"
        )
    wrong = [
        name for name in ("mean", "components", "scale") if not np.isfinite(arrays[name]).all()
    ]
    if wrong:
        raise ValueError(f"the PCA has numbers in its {listed(wrong)} that are not finite")
    return PCA(mean, components, float(scale))


def read_pca(path: Path) -> PCA:
    """What `write_pca` wrote.

    Raises:
        DataError: the file is damaged, or of another form.
    """
    with open_hdf5(path) as file:
        mean = find_dataset(file, path, ("mean",), np.floating, ("width",))
        components = find_dataset(file, path, ("components",), np.floating, ("dimensions", "width"))
        scale = find_dataset(file, path, ("scale",), np.floating, ())
        with reading(path):
            found = {"mean": mean[()], "components": components[()], "scale": scale[()]}
    try:
        return pca_of({name: np.asarray(a) for name, a in found.items()})
    except ValueError as e:
        raise DataError(f"{path}: {e}") from e
