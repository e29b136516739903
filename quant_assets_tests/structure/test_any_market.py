"""No code outside the rooms ``market`` and ``sources`` knows a market: they read descriptions."""

import re
from pathlib import Path

import quant_assets

PACKAGE = Path(quant_assets.__file__).parent
KNOWS_MARKETS = ("market/", "sources/")
# It reads tables of an earlier version, whose columns were named so.
EARLIER_FORMS = ("lake/store/upgrade.py",)
OF_ONE_MARKET = re.compile(
    r"(?<![A-Za-z_])(LME|JPX|US_|FX_|MARKETS\b|market_of\b)|\b(424|557)\b|target_[0-9{\[]|MAX_LAG"
)
EXAMPLE = '{wide: "target_{number}"}'


def find_lines() -> list[str]:
    modules = sorted(PACKAGE.rglob("*.py"))
    lines = []
    for module in modules:
        name = module.relative_to(PACKAGE).as_posix()
        if name.startswith(KNOWS_MARKETS) or name in EARLIER_FORMS:
            continue
        for number, line in enumerate(module.read_text().splitlines(), start=1):
            if OF_ONE_MARKET.search(line.replace(EXAMPLE, "")):
                lines.append(f"{name}:{number}: {line.strip()}")
    return lines


def test_no_market_is_named_outside_descriptions_and_sources() -> None:
    assert find_lines() == []


def test_what_is_looked_for_would_be_found() -> None:
    for line in ('"LME_AH"', "US_Stock", "range(424)", 'f"target_{i}"', "import MARKETS", "JPX"):
        assert OF_ONE_MARKET.search(line), line
    for line in ("FUS_ION", "1424", "target_features", "target_pairs", "MARKETSHARE"):
        assert not OF_ONE_MARKET.search(line), line
