"""The store on tables that an older version wrote."""

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from quant_assets.alerts.alert_lifecycle import Level
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.conditions import apply_events, raised

NO_CHANNELS: dict[Level, list[str]] = {"critical": [], "warning": [], "info": []}


def test_alerts_of_an_older_version_are_read_and_updated(tmp_path: Path) -> None:
    """Their table lacks the newest columns until it is written again."""
    older = replace(ALERTS, columns=ALERTS.columns[:-2])
    _, (alert,) = apply_events([raised(0)])
    row = {
        name: [value.replace(tzinfo=None) if isinstance(value, datetime) else value]
        for name, value in asdict(alert).items()
        if name in {column.name for column in older.columns}
    }
    with Lake(tmp_path) as lake:
        lake.replace_all(older, row)
        store = AlertStore(lake, tmp_path)
        assert store.alerts() == [replace(alert, warning_at=None)]
        store.take_in([raised(1, "critical")], NO_CHANNELS)
        (again,) = store.alerts()
    assert (again.count, again.warning_at, again.critical_at) == (2, None, raised(1).at)
