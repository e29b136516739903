"""Matrices over all targets as factors, for markets whose full matrices would not fit into memory.

A covariance from n days has a rank of at most n. With more targets than days, n columns hold all of
it, and time and memory grow with the number of targets, not with its square.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class LowRankInverse:
    """The (m, m) symmetric matrix ``diagonal * I - factor @ factor.T``; ``x @ self`` multiplies it.

    Attributes:
        diagonal: factor of the identity.
        factor: (m, r) factor of the other part.
    """

    diagonal: float
    factor: FloatArray

    __array_ufunc__ = None
    """Numpy leaves products with arrays to this class."""

    def __rmatmul__(self, x: FloatArray) -> FloatArray:
        """Return the product of an array of shape (m,) or (n, m) and this matrix."""
        return np.asarray(self.diagonal * x - (x @ self.factor) @ self.factor.T)


@dataclass(frozen=True)
class Product:
    """The (p, m) matrix ``left @ right``, which ``x @ self`` multiplies.

    Attributes:
        left: (p, r) first factor.
        right: (r, m) second factor.
    """

    left: FloatArray
    right: FloatArray

    __array_ufunc__ = None
    """Numpy leaves products with arrays to this class."""

    def __rmatmul__(self, x: FloatArray) -> FloatArray:
        """Return the product of an array of shape (p,) or (n, p) and this matrix."""
        return np.asarray((x @ self.left) @ self.right)

    def __matmul__(self, other: "Matrix") -> "Product":
        """Return the product with a matrix of m rows, as factors."""
        return Product(self.left, self.right @ other)

    def absolute_row_sums(self) -> FloatArray:
        """Compute the (p,) sums of the absolute values of each row, without the whole matrix."""
        starts = range(0, len(self.left), _ROWS_AT_ONCE)
        blocks = (self.left[start : start + _ROWS_AT_ONCE] @ self.right for start in starts)
        return np.concatenate([np.abs(block).sum(axis=1) for block in blocks])


Matrix = FloatArray | LowRankInverse | Product


def invert_shrunk(deviations: FloatArray, share: float, shrinkage: float) -> LowRankInverse:
    """Invert ``share * deviations.T @ deviations + shrinkage * I``.

    Source: the identity of Woodbury ("Inverting modified matrices", 1950), in the directions of the
    eigenvectors of ``deviations @ deviations.T``.

    Args:
        deviations: (n, m) deviations.
        share: weight of their product, 0 or more.
        shrinkage: weight of the identity, above 0.
    """
    values, vectors = np.linalg.eigh(deviations @ deviations.T)
    values = np.maximum(values, 0.0)
    scale = np.sqrt(share / (shrinkage * (share * values + shrinkage)))
    return LowRankInverse(1.0 / shrinkage, deviations.T @ (vectors * scale))


def name_arrays(name: str, matrix: Matrix) -> dict[str, AnyArray]:
    """Return the arrays of a matrix by name, as a model stores them.

    Args:
        name: name of the matrix, which a plain array has.
        matrix: an array or factors.
    """
    if isinstance(matrix, np.ndarray):
        return {name: matrix}
    return {f"{name}_{part}": np.asarray(values) for part, values in vars(matrix).items()}


def find_matrix(name: str, arrays: Mapping[str, Any]) -> Matrix:
    """Restore a matrix from the arrays of a stored model.

    Args:
        name: name of the matrix.
        arrays: all arrays of the model, by name.
    """
    if name in arrays:
        plain: FloatArray = arrays[name]
        return plain
    if f"{name}_factor" in arrays:
        return LowRankInverse(float(arrays[f"{name}_diagonal"]), arrays[f"{name}_factor"])
    return Product(arrays[f"{name}_left"], arrays[f"{name}_right"])
