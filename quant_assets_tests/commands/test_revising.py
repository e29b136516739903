"""What ``quant-assets revise`` says of a source that has changed, or has come further."""

import re
from pathlib import Path

import pytest

from quant_assets.commands.revising import run_revision
from quant_assets_tests.support.revised_vendor import DAYS, DAYS_AT_FIRST, copy_loaded_vendor

pytestmark = pytest.mark.slow("two revisions in real runs, after a load", seconds=60)

NEWEST = DAYS_AT_FIRST - 1


def test_a_revision_says_what_followed_and_what_is_newer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation, vendor = copy_loaded_vendor(tmp_path)
    capsys.readouterr()

    def revise() -> str:
        vendor.write()
        run_revision(installation.settings)
        return capsys.readouterr().out

    assert revise() == f"{installation.folder}: the stored days are as the source has them\n"

    # New days: one with prices, and one that is empty, which is waited for.
    vendor.visible[NEWEST + 1 : NEWEST + 3] = True
    vendor.emptied.add(NEWEST + 2)
    said = revise()
    assert "the stored days are as the source has them\n1 newer day: quant-assets load\n" in said
    assert "warning: the newest row is not read: " in said

    vendor.correct(NEWEST - 10, 7, 1.1)
    said = revise()
    assert re.search(r"\n\d+ labels moved, by at most 0\.\d{4}\n1 newer day: ", said), said

    # The stored newest day, of which the source empties the row, has come before.
    vendor.visible[NEWEST + 1 :] = False
    vendor.emptied = {NEWEST}
    said = revise()
    assert f"{DAYS[NEWEST]} withdrawn\n" in said
    assert "no label moved by more than 0.001\n" in said
    assert "warning: the newest row is not read: " in said
