"""Types of Dagster that its public interface returns and does not name.

Modules import them from here, so that an upgrade that moves them changes this module only.
``test_private_interfaces`` says what to do then. Names that bring heavy libraries belong in the
module that uses them.
"""

# `dagster.define_asset_job` returns it. Dagster imports it anyway, so it costs nothing.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

__all__ = ["UnresolvedAssetJobDefinition"]
