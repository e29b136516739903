"""Metrics of a lake, as Prometheus's own parser reads them, against the lake's rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.store.lake import Lake
from quant_assets.metrics.lake_metrics import collect_lake_metrics
from quant_assets.metrics.prometheus import Metric, to_prometheus_text
from quant_assets.monitoring.drift.drift import share_drifted
from quant_assets.scoring.metric import score_of_ic
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.prometheus_samples import Samples, samples
from quant_assets_tests.support.report_tables import DAYS, FAMILIES, LAST, add_others, fill


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with fill(tmp_path_factory.mktemp("metrics")) as opened:
        add_others(opened)
        yield opened


@pytest.fixture(scope="module")
def exposed(lake: Lake) -> dict[str, Samples]:
    return samples(to_prometheus_text(collect_lake_metrics(lake, FAMILIES, LONDON_AND_TOKYO, LAST)))


def test_rows_and_newest_days_are_the_lakes(lake: Lake, exposed: dict[str, Samples]) -> None:
    rows = lake.query("SELECT count(*) AS n FROM monitoring.data_quality")["n"].iloc[0]
    assert exposed["quant_assets_table_rows"]["monitoring.data_quality",] == rows
    assert exposed["quant_assets_submissions_stored"] == {(): len(DAYS)}
    newest = exposed["quant_assets_table_newest_day_timestamp_seconds"]
    midnight = datetime.combine(LAST, time(), UTC).timestamp()
    assert newest["submissions.daily",] == midnight
    assert "features.market" not in {name for (name,) in newest}


def test_freshness_is_counted_in_trading_days(lake: Lake) -> None:
    days = pd.Timestamp(2024, 1, 9).date(), pd.Timestamp(2023, 12, 31).date()
    # 1 January is closed in London and Tokyo, 2 January is open in London.
    for today, behind in zip(days, (6, 0), strict=True):
        exposed = samples(
            to_prometheus_text(collect_lake_metrics(lake, FAMILIES, LONDON_AND_TOKYO, today))
        )
        assert exposed["quant_assets_table_behind_trading_days"]["raw.prices",] == behind


def test_scores_are_the_metric(lake: Lake, exposed: dict[str, Samples]) -> None:
    rows = lake.query(
        f"SELECT family, ic FROM {PERFORMANCE.quoted} WHERE released_on <= ? ORDER BY released_on",
        [LAST],
    )
    scores = exposed["quant_assets_score"]
    names = ("ensemble", *FAMILIES)
    assert set(scores) == {(name, window) for name in names for window in ("20", "60", "250")}
    for (name, window), value in scores.items():
        ic = rows[rows["family"] == name]["ic"].to_numpy()[-int(window) :]
        assert value == pytest.approx(score_of_ic(ic))
    newest = rows[rows["family"] == "ridge"]["ic"].iloc[-1]
    assert exposed["quant_assets_daily_ic"]["ridge",] == newest


def test_drift_and_data_limits_are_those_of_the_newest_day(
    lake: Lake, exposed: dict[str, Samples]
) -> None:
    drifted = lake.query(f"FROM {DRIFT.quoted} WHERE trading_day = ?", [LAST])
    assert exposed["quant_assets_drifted_ratio"][()] == share_drifted(drifted).iloc[0]
    quality = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [LAST])
    broken = (~quality["within"]).groupby(quality["market"]).sum()
    assert exposed["quant_assets_data_limits_broken"] == {
        (str(market),): n for market, n in broken.items()
    }


def test_alerts_are_counted_by_level(exposed: dict[str, Samples]) -> None:
    assert exposed["quant_assets_open_alerts"] == {("critical",): 0, ("warning",): 2, ("info",): 0}
    assert exposed["quant_assets_alerts_total"] == {(): 3}


def test_the_challengers_share_is_the_newest(exposed: dict[str, Samples]) -> None:
    assert exposed["quant_assets_challenger_share_ratio"] == {(): 0.25}


def test_an_empty_lake_has_no_alerts_and_no_more(tmp_path: Path) -> None:
    with Lake(tmp_path) as empty:
        exposed = samples(
            to_prometheus_text(collect_lake_metrics(empty, FAMILIES, LONDON_AND_TOKYO, LAST))
        )
    assert set(exposed) == {"quant_assets_open_alerts", "quant_assets_alerts_total"}


def test_text_keeps_labels_and_leaves_out_what_is_unknown() -> None:
    odd = 'quote " backslash \\ line\nend'
    metrics = [
        Metric("one", "Of one.", ("name",), (((odd,), 1.5), (("unknown",), float("nan")))),
        Metric("deeds", "Counted.", (), (((), 3.0),), "counter"),
    ]
    assert samples(to_prometheus_text(metrics)) == {
        "quant_assets_one": {(odd,): 1.5},
        "quant_assets_deeds_total": {(): 3.0},
    }
