"""References that reports compare days with, stored from one run to the next.

Reports compute their references. A fingerprint covers everything that a reference depends on: a
stored reference is used while its fingerprint stays, and is replaced with its file afterwards.
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
        lake: the lake that holds the records of the references.
        artifacts: folder of the files of the references; None stores nothing.
        report: name of the report.
        newest: number of references to keep: the last computed reference, and then the newest by
            as-of day; None keeps all.
    """

    lake: Lake
    artifacts: Path | None
    report: str
    newest: int | None = None

    def get(self, as_of: date, fingerprint: str, make: Callable[[], bytes]) -> bytes:
        """Return a stored reference, or compute and store it.

        Args:
            as_of: last day that the reference uses.
            fingerprint: digest of everything that the reference depends on.
            make: computes the bytes of the reference.

        Raises:
            ArtifactError: the reference is recorded, but its file is altered.
        """
        if self.artifacts is None:
            return make()
        key, kept = f"{self.report}/{as_of}", self._kept()
        known = kept.get(key)
        if known and known[0] == fingerprint and (self.artifacts / known[1]).exists():
            return read_artifact(self.artifacts, *known[1:])
        content = make()
        newest = [key, *sorted(kept.keys() - {key}, reverse=True)][: self.newest]
        old = {k: v for k, v in kept.items() if k not in newest}
        self._keep(self.artifacts, key, as_of, fingerprint, content)
        self._forget(old)
        self._clear(self.artifacts, {v[1] for k, v in kept.items() if k == key or k in old})
        return content

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

    def _keep(
        self, artifacts: Path, key: str, as_of: date, fingerprint: str, content: bytes
    ) -> None:
        artifact, digest = store_artifact(artifacts, content)
        row = {"artifact": [artifact], "sha256": [digest], "fingerprint": [fingerprint]}
        self.lake.replace_matching(REFERENCES, "id", {"id": [key], "trading_day": [as_of], **row})

    def _forget(self, old: Mapping[str, tuple[str, str, str]]) -> None:
        """Remove the files from records. The records stay, and are not used again."""
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
