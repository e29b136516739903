"""An isolation forest as plain arrays: how few cuts at random set a row apart from all others.

Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008). scikit-learn grows it; what is kept of it is
arrays, which are scored without it. Knows nothing of instruments or days.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray, IntArray

TREES, SAMPLE = 64, 256
STRANGE = 0.15
"""Share of the rows in which one figure is replaced by a strange one, drawn from all it may be.

A forest cuts between the values it was shown only: without these it tells what is far beyond all
of them from the last of them no better than by chance, and never notices that a figure which was
always the same is not. With them a market that stands still is 2 to 4 times as far from the median
day as the worst of three years, without them a third as far.
"""
_LEAF = -1
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class Forest:
    """A grown forest.

    Attributes:
        feature: (trees, nodes) column that a node asks for; negative at leaves.
        threshold: likewise, the largest value that goes to the left.
        left: likewise, the node that follows there.
        right: likewise, the other.
        depth: likewise, cuts down to a leaf, and those that its rows would still take.
        expected: cuts that a row takes on average.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    depth: FloatArray
    expected: float

    def scores(self, rows: FloatArray) -> FloatArray:
        """(n,) anomaly scores between 0 and 1 of (n, f) rows without NaN; ordinary ones are 0.5.

        A row's score does not depend, to the bit, on which others it is scored with.
        """
        # As scikit-learn does: thresholds were found among values so rounded.
        rows = rows.astype(np.float32)
        total = np.zeros(len(rows))
        every = np.arange(len(rows))
        for tree in range(len(self.feature)):
            node = np.zeros(len(rows), dtype=np.int64)
            going = every
            while len(going):
                at = node[going]
                asked = self.feature[tree, at]
                going, at, asked = (x[asked >= 0] for x in (going, at, asked))
                low = rows[going, asked] <= self.threshold[tree, at]
                node[going] = np.where(low, self.left[tree, at], self.right[tree, at])
            total += self.depth[tree, node]
        return 2.0 ** (-total / (len(self.feature) * self.expected))

    def arrays(self) -> dict[str, AnyArray]:
        """All of it, by name, to be stored."""
        return {name: np.asarray(value) for name, value in vars(self).items()}


def unpack_forest(arrays: Mapping[str, AnyArray]) -> Forest:
    """What :meth:`Forest.arrays` gave, as a forest again."""
    whole = {name: arrays[name] for name in ("feature", "threshold", "left", "right", "depth")}
    return Forest(**whole, expected=float(arrays["expected"]))


def grow_forest(rows: FloatArray, reach: FloatArray, seed: int) -> Forest:
    """A forest of ``TREES`` trees, each of ``SAMPLE`` rows or all if there are fewer.

    Args:
        rows: (n, f) without NaN.
        reach: (f, 2) least and largest value that each column may have.
        seed: of rows and cuts drawn.
    """
    from sklearn.ensemble import IsolationForest

    sample = min(SAMPLE, len(rows))
    grown = IsolationForest(n_estimators=TREES, max_samples=sample, random_state=seed, n_jobs=1)
    trees = [one.tree_ for one in grown.fit(_some_strange(rows, reach, seed)).estimators_]
    nodes = max(tree.node_count for tree in trees)

    def padded(values: AnyArray, empty: float) -> AnyArray:
        return np.concatenate([values, np.full(nodes - len(values), empty, values.dtype)])

    depths = (_depths(t.children_left, t.children_right, t.n_node_samples) for t in trees)
    return Forest(
        np.stack([padded(np.where(t.feature < 0, _LEAF, t.feature), _LEAF) for t in trees]),
        np.stack([padded(t.threshold, 0.0) for t in trees]),
        np.stack([padded(t.children_left, _LEAF) for t in trees]),
        np.stack([padded(t.children_right, _LEAF) for t in trees]),
        np.stack([padded(depth, 0.0) for depth in depths]),
        float(cuts_expected(np.array([sample]))[0]),
    )


def cuts_expected(rows: IntArray) -> FloatArray:
    """Mean number of cuts that set one of so many rows apart (equation 1 of the paper)."""
    many = np.maximum(rows, 3).astype(np.float64)
    cuts = 2.0 * (np.log(many - 1.0) + _EULER) - 2.0 * (many - 1.0) / many
    return np.where(rows > 2, cuts, (rows == 2).astype(np.float64))


def _some_strange(rows: FloatArray, reach: FloatArray, seed: int) -> FloatArray:
    draw = np.random.default_rng(seed)
    row = np.flatnonzero(draw.random(len(rows)) < STRANGE)
    column = draw.integers(rows.shape[1], size=len(row))
    result = rows.copy()
    result[row, column] = draw.uniform(*reach[column].T)
    return result


def _depths(left: IntArray, right: IntArray, rows: IntArray) -> FloatArray:
    """Cuts down to every node; a child comes after its parent."""
    cuts = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0):
        cuts[[left[node], right[node]]] = cuts[node] + 1.0
    return cuts + cuts_expected(rows)
