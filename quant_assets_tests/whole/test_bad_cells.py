"""Single bad cells do not stop a run: the quarantine has their place and reason."""

from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.revision_tables import SET_ASIDE
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.installation import Command, Installation, digests
from quant_assets_tests.support.small_market import LAST_DAY, Rows, change_train

BAD = {
    "n/a": "not a number",
    "inf": "infinite",
    "-1.5": "price not above zero",
    "0": "price not above zero",
    "1e999": "infinite",
}


def test_bad_cells_are_quarantined_with_their_reason(
    installation: Installation, command: Command
) -> None:
    names: list[str] = []

    def spoil(rows: Rows) -> None:
        filled = [i for i, cell in enumerate(rows[-1]) if cell and i > 0]
        for i, text in zip(filled, BAD, strict=False):
            rows[-1][i] = text
            names.append(rows[0][i])

    change_train(installation.folder, spoil)
    day = LAST_DAY.isoformat()
    command(
        installation, "backfill", "--from", day, "--to", day, "--job", "refresh_daily"
    ).succeeded()
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        rows = lake.query("FROM validated.quarantine")
        counts = lake.query(
            "SELECT count(*) AS n FROM validated.prices WHERE contains(flag, 'rejected')"
            f" AND value IS NULL AND trading_day = DATE '{day}'"
        )
        answered = lake.query(
            f"SELECT count(*) AS n FROM forecasts.ensemble WHERE trading_day = DATE '{day}'"
        )
    assert (rows["trading_day"].astype(str) == day).all()
    assert set(rows["row"]) == {109}
    assert dict(zip(rows["column"], rows["reason"], strict=True)) == dict(
        zip(names, BAD.values(), strict=True)
    )
    assert dict(zip(rows["column"], rows["value"], strict=True))[names[0]] == "n/a"
    assert counts.at[0, "n"] == len(BAD)
    assert answered.at[0, "n"] == 424


def test_a_stored_day_that_becomes_nothing_but_bad_cells_is_set_aside(
    installation: Installation, command: Command
) -> None:
    """A bad day, unlike a bad cell, is not taken over: what was stored stays."""
    stored = digests(installation.settings, [RAW_PRICES, VALIDATED_PRICES])

    def spoil(rows: Rows) -> None:
        rows[-1][1:] = ["-1"] * (len(rows[-1]) - 1)

    change_train(installation.folder, spoil)
    day = LAST_DAY.isoformat()
    finished = command(
        installation, "backfill", "--from", day, "--to", day, "--job", "refresh_daily"
    ).succeeded()
    assert f"{day} is set aside" in finished.out + finished.err
    assert "at most 5 % of the cells are rejected" in finished.out + finished.err
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        (row,) = lake.query(f"FROM {SET_ASIDE.quoted}").itertuples()
    assert row.trading_day.date() == LAST_DAY
    assert digests(installation.settings, [RAW_PRICES, VALIDATED_PRICES]) == stored
