"""A folder of price files as a vendor delivers them."""

from pathlib import Path

DAYS = ("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07")


def write_long(
    folder: Path,
    names: tuple[str, ...] = ("B", "A", "NO", 'x "/日'),
    days: tuple[str, ...] = DAYS,
) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [f'"{n.replace(chr(34), chr(34) * 2)}",{day},1,9' for n in names for day in days]
    (folder / "prices.csv").write_text("\n".join(["Symbol,Date,Close,Volume", *rows]) + "\n")
    return folder
