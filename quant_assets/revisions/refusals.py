"""Refusals of a source that does not fit what is stored.

The order in which a run may store days is in ``revisions.storing``.
"""

from quant_assets.core.errors import SourceError
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.schemas.table import HISTORY
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.comparison import Comparison
from quant_assets.sources.protocol import Source


def refuse_other_market(comparison: Comparison) -> None:
    """Refuse a source whose series or targets are not those that are stored.

    Raises:
        SourceError: it has further series, or lacks some; or it has other targets.
    """
    if comparison.other_targets:
        raise SourceError(
            "the source has other targets than those that are stored",
            expected="the stored targets, with their lags and legs, in the same order",
            hint="correct them; if the new targets are right, run `quant-assets load`, which "
            "computes everything anew",
        )
    if comparison.came or comparison.went:
        raise SourceError(
            "the source has other series than those that are stored",
            expected=f"the series that are stored; gone: {_list(comparison.went)}",
            found=f"new: {_list(comparison.came)}",
            hint="if a series was renamed, name it as before; if the new series are right, run "
            "`quant-assets load`, which stores the whole history anew",
        )


def refuse_renamed_targets(lake: Lake, source: Source) -> None:
    """Refuse other names of targets once a day was submitted live: live rows keep their names.

    Args:
        lake: holds the targets and what was submitted.
        source: has the targets as they are now.

    Raises:
        SourceError: a day was submitted live, and there are other targets by name.
    """
    if not (lake.has(SUBMISSIONS) and lake.has(RAW_TARGET_PAIRS)):
        return
    before, now = read_pairs(lake).targets, source.pairs().targets
    live = f"SELECT 1 FROM {SUBMISSIONS.quoted} WHERE origin <> ? LIMIT 1"
    if set(before) != set(now) and lake.arrow(live, [HISTORY]).num_rows:
        raise SourceError(
            "targets that were submitted live have other names now, or there are others",
            expected=f"the {len(before)} targets of the days that were submitted live",
            found=f"gone: {_list(tuple(name for name in before if name not in set(now)))}; "
            f"new: {_list(tuple(name for name in now if name not in set(before)))}",
            hint="what was submitted stays: set QUANT_DATA_DIR to another directory for these "
            "targets",
        )


def refuse_many_withdrawn(comparison: Comparison, most: int) -> None:
    """Raise an error if a source lacks more stored days than it may take back at once.

    A file that was cut off looks like a vendor who takes back all later days.

    Args:
        comparison: how the source differs from the lake.
        most: number of days that a source may take back.

    Raises:
        SourceError: it lacks more.
    """
    withdrawn = [each.first for each in comparison.revisions if each.kind == "withdrawn"]
    if len(withdrawn) > most:
        raise SourceError(
            "the source lacks days that are stored",
            expected=f"at most {most} days less than before",
            found=f"{len(withdrawn)} days less, from {withdrawn[0]} to {withdrawn[-1]}",
            hint="see whether a file was cut off; if the source is right, run `quant-assets load` "
            f"with QUANT_WITHDRAWN_DAYS={len(withdrawn)}",
        )


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
