"""What reports compare days with, kept from one run to the next. How it is made is not known here.

A fingerprint covers everything it depends on. With the same one it is the same, and made again only
if its file is gone; with another it is made anew and takes the place of the old one, file and all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from quant_assets.lake.schemas.monitoring_tables import REFERENCES
from quant_assets.lake.store.artifacts import read_artifact, store_artifact
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class ReferenceStore:
    """Those of one report.

    Attributes:
        lake: where they are recorded.
        artifacts: folder where they are kept; None keeps nothing.
        report: what they are for.
        newest: how many are kept: the last one made, and beside it those of the newest as-of days;
            None keeps all.
    """

    lake: Lake
    artifacts: Path | None
    report: str
    newest: int | None = None

    def get(self, as_of: date, fingerprint: str, make: Callable[[], bytes]) -> bytes:
        """The bytes that ``make`` gave or would give.

        Args:
            as_of: last day that they know.
            fingerprint: digest of all they depend on.
            make: what makes them.

        Raises:
            ArtifactError: they are recorded, but their file is altered.
        """
        if self.artifacts is None:
            return make()
        key, kept = f"{self.report}/{as_of}", self._kept()
        known = kept.get(key)
        if known and known[0] == fingerprint and (self.artifacts / known[1]).exists():
            return read_artifact(self.artifacts, *known[1:])
        made = make()
        newest = [key, *sorted(kept.keys() - {key}, reverse=True)][: self.newest]
        old = {k: v for k, v in kept.items() if k not in newest}
        self._keep(self.artifacts, key, as_of, fingerprint, made)
        self._forget(old)
        self._clear(self.artifacts, {v[1] for k, v in kept.items() if k == key or k in old})
        return made

    def _kept(self) -> dict[str, tuple[str, str, str]]:
        """Fingerprint, file and sha256 by id."""
        if not self.lake.has(REFERENCES):
            return {}
        rows = self.lake.arrow(
            f"SELECT id, fingerprint, artifact, sha256 FROM {REFERENCES.quoted}"
            " WHERE starts_with(id, ?) AND artifact IS NOT NULL",
            [f"{self.report}/"],
        ).to_pylist()
        return {row["id"]: (row["fingerprint"], row["artifact"], row["sha256"]) for row in rows}

    def _keep(self, artifacts: Path, key: str, as_of: date, fingerprint: str, made: bytes) -> None:
        artifact, digest = store_artifact(artifacts, made)
        row = {"artifact": [artifact], "sha256": [digest], "fingerprint": [fingerprint]}
        self.lake.replace_matching(REFERENCES, "id", {"id": [key], "trading_day": [as_of], **row})

    def _forget(self, old: Mapping[str, tuple[str, str, str]]) -> None:
        """The record stays, without a file, and is never looked at again."""
        for key, (fingerprint, _, digest) in old.items():
            row = {"artifact": [None], "sha256": [digest], "fingerprint": [fingerprint]}
            as_of = date.fromisoformat(key.rpartition("/")[2])
            self.lake.replace_matching(
                REFERENCES, "id", {"id": [key], "trading_day": [as_of], **row}
            )

    def _clear(self, artifacts: Path, files: Iterable[str]) -> None:
        """Delete those of the files that no report's record names: equal bytes share one."""
        found = self.lake.columns(f"SELECT DISTINCT artifact FROM {REFERENCES.quoted}")
        for unnamed in set(files) - set(found["artifact"].tolist()):
            (artifacts / unnamed).unlink(missing_ok=True)
