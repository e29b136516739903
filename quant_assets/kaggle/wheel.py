"""A wheel of the installed package, made without network and without its sources' build tools."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

DISTRIBUTION = "quant-assets"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: quant-assets\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel of this package into a folder, and return its path."""
    installed = distribution(DISTRIBUTION)
    about = f"quant_assets-{installed.version}"
    file = folder / f"{about}-py3-none-any.whl"
    parts = dict(_read_package())
    # A checkout on the path is found before what was installed from it, and names it otherwise.
    metadata = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
    parts[f"{about}.dist-info/METADATA"] = metadata.encode()
    parts[f"{about}.dist-info/entry_points.txt"] = (
        installed.read_text("entry_points.txt") or ""
    ).encode()
    parts[f"{about}.dist-info/WHEEL"] = _WHEEL
    record = f"{about}.dist-info/RECORD"
    lines = [_describe(name, content) for name, content in parts.items()]
    parts[record] = "".join([*lines, f"{record},,\n"]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


def _read_package() -> Iterator[tuple[str, bytes]]:
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root.parent).as_posix(), path.read_bytes()


def _describe(name: str, content: bytes) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
