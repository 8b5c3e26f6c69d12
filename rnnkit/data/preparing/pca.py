"""Principal components of features too large for memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from rnnkit.data.photos.pca import PCA
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array
from rnnkit.parallel import ALONE, Ranks


def fit_pca(
    blocks: Callable[[], Iterable[Array]], width: int, dimensions: int, ranks: Ranks = ALONE
) -> PCA:
    """Fit a PCA to rows that come in blocks, in float64.

    Args:
        blocks: gives all rows (n, F) in pieces, each rank some of them; is called twice, for the mean and the
            covariance.
        width: F.
        dimensions: K, at most F and n - 1.
        ranks: those whose rows it is fitted to, all together.

    Raises:
        DataError: K is out of range, or the rows vary in fewer than K directions.
    """
    sums = np.zeros(width + 1)
    ranks.each(partial(_add_rows, sums, blocks))
    ranks.sum(sums)
    rows = round(sums[-1])
    mean = sums[:-1] / rows
    if not 1 <= dimensions <= min(width, rows - 1):
        raise DataError(
            f"a PCA of {rows} features of width {width} has 1 to {min(width, rows - 1)} dimensions; "
            f"it cannot have {dimensions}"
        )
    covariance = np.zeros((width, width))
    ranks.each(partial(_add_products, covariance, blocks, mean))
    ranks.sum(covariance)
    covariance /= rows
    return ranks.first(partial(_principal, mean, covariance, dimensions))


def _add_rows(sums: Array, blocks: Callable[[], Iterable[Array]]) -> None:
    """Add the sum of all rows, and behind it their number."""
    for block in blocks():
        sums[:-1] += block.sum(axis=0, dtype=np.float64)
        sums[-1] += len(block)


def _add_products(covariance: Array, blocks: Callable[[], Iterable[Array]], mean: Array) -> None:
    for block in blocks():
        centred = block.astype(np.float64) - mean
        covariance += centred.T @ centred


def _principal(mean: Array, covariance: Array, dimensions: int) -> PCA:
    width = len(mean)
    variances, directions = np.linalg.eigh(covariance)
    variances, components = variances[::-1][:dimensions], directions.T[::-1][:dimensions]
    whole = float(np.trace(covariance))
    # What rounding leaves of a direction without variance.
    varied = int((variances > whole * width * np.finfo(np.float64).eps).sum())
    if varied < dimensions:
        raise DataError(
            f"the features vary in {varied} directions only; a PCA cannot make {dimensions} dimensions"
        )
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return PCA(
        mean=mean,
        components=components * np.sign(largest),
        scale=float(1 / np.sqrt(variances.mean())),
        kept=float(variances.sum() / whole),
    )
