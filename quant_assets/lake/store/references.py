"""References that reports compare days with, stored from one run to the next.

How a reference is computed is not known here. A fingerprint covers everything that it depends on: a
stored reference with the same fingerprint is used again, one with another fingerprint is replaced,
and its file is deleted.
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
    """The stored references of one report.

    Attributes:
        lake: the lake that holds their records.
        artifacts: folder of their files; None stores nothing.
        report: name of the report.
        newest: how many references to keep: the last one made, and then those of the newest as-of
            days; None keeps all.
    """

    lake: Lake
    artifacts: Path | None
    report: str
    newest: int | None = None

    def get(self, as_of: date, fingerprint: str, make: Callable[[], bytes]) -> bytes:
        """Return a reference: the stored bytes, or those that ``make`` returns, which are stored.

        Args:
            as_of: last day that the reference uses.
            fingerprint: digest of all that it depends on.
            make: computes it.

        Raises:
            ArtifactError: it is recorded, but its file is altered.
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
        """Return fingerprint, file and sha256 of each reference that has a file, by id."""
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
        """Take the file out of records. The records stay, and are not used again."""
        for key, (fingerprint, _, digest) in old.items():
            row = {"artifact": [None], "sha256": [digest], "fingerprint": [fingerprint]}
            as_of = date.fromisoformat(key.rpartition("/")[2])
            self.lake.replace_matching(
                REFERENCES, "id", {"id": [key], "trading_day": [as_of], **row}
            )

    def _clear(self, artifacts: Path, files: Iterable[str]) -> None:
        """Delete the files that no report's record names. Equal references share a file."""
        named = self.lake.columns(f"SELECT DISTINCT artifact FROM {REFERENCES.quoted}")
        for unnamed in set(files) - set(named["artifact"].tolist()):
            (artifacts / unnamed).unlink(missing_ok=True)
