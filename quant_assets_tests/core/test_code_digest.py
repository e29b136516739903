"""The digest of code changes with the code, and not with comments or layout."""

import shutil
from pathlib import Path

import pytest

from quant_assets.core.code_digest import PACKAGE, digest_code
from quant_assets.core.errors import unknown_name
from quant_assets.models.registry import FAMILIES, family_module
from quant_assets.training.fitting import code_digest

RIDGE = family_module("ridge")


class Copy:
    """A copy of the package, to change.

    Attributes:
        folder: of the copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, folder, ignore=ignored)

    def digest(self, module: str = RIDGE) -> str:
        return digest_code(module, package=self.folder)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        content = path.read_text()
        assert old in content, f"{file} holds no {old!r}"
        path.write_text(content.replace(old, new, 1))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "copy")


def test_a_copy_has_the_same_digest(copy: Copy) -> None:
    assert copy.digest() == digest_code(RIDGE) == code_digest("ridge")


def test_words_and_layout_change_nothing(copy: Copy) -> None:
    before = copy.digest()
    copy.edit("models/families/ridge.py", '"""', '"""Another first line. ')
    copy.edit("models/families/ridge.py", "\nimport", "\n\n# A comment.\nimport")
    copy.edit("models/families/ridge.py", "\n    return ", "\n    # Another.\n\n    return ")
    copy.edit("models/label_transforms.py", "def ranked_labels(", "def ranked_labels(\n    ")
    copy.edit("models/label_transforms.py", "MIN_DAYS = ", "# A comment.\nMIN_DAYS = ")
    assert copy.digest() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "models/families/ridge.py",
            "def _compute_moments",
            "_CONSTANT = 1\n\n\ndef _compute_moments",
        ),
        ("models/label_transforms.py", "MIN_DAYS = ", "MIN_DAYS = 1 + "),
        ("core/ranks.py", "_ROWS_AT_ONCE = 128", "_ROWS_AT_ONCE = 129"),
        ("models/packing.py", "import numpy as np", "import cupy as np"),
    ],
)
def test_other_code_of_its_own_or_of_what_it_uses_does(
    copy: Copy, file: str, old: str, new: str
) -> None:
    before = copy.digest()
    copy.edit(file, old, new)
    assert copy.digest() != before


def test_code_that_it_does_not_use_changes_nothing(copy: Copy) -> None:
    before = copy.digest()
    copy.edit("models/families/lightgbm.py", "\nimport ", "\nCONSTANT = 1\nimport ")
    copy.edit("models/registry.py", "FAMILIES = ", "FAMILIES = () or ")
    copy.edit(
        "core/errors.py", "class ArtifactError", "class Other:\n    ...\n\n\nclass ArtifactError"
    )
    copy.edit("models/neural/scaler.py", "\nimport ", "\nCONSTANT = 1\nimport ")
    assert copy.digest() == before


def test_what_is_imported_within_a_function_counts(copy: Copy) -> None:
    module = family_module("rank_mlp")
    before = copy.digest(module)
    copy.edit("models/neural/networks.py", "class PooledMlp", "CONSTANT = 1\n\n\nclass PooledMlp")
    assert copy.digest(module) == before
    copy.edit("models/neural/scores.py", "\nimport ", "\nCONSTANT = 1\nimport ")
    assert copy.digest(module) != before


def test_every_family_has_its_own_digest() -> None:
    assert len({code_digest(name) for name in FAMILIES}) == len(FAMILIES)


def test_a_function_is_digested_alone(copy: Copy) -> None:
    before = digest_code(unknown_name, package=copy.folder)
    copy.edit("core/errors.py", "class LakeError", "class Other:\n    ...\n\n\nclass LakeError")
    assert digest_code(unknown_name, package=copy.folder) == before
    copy.edit("core/errors.py", "did you mean", "perhaps you mean")
    assert digest_code(unknown_name, package=copy.folder) != before


def test_what_lies_outside_is_not_followed(copy: Copy) -> None:
    def digest() -> str:
        outside = ["quant_assets.models.label_transforms"]
        return digest_code(RIDGE, outside=outside, package=copy.folder)

    before = digest()
    copy.edit("models/label_transforms.py", "MIN_DAYS = ", "MIN_DAYS = 1 + ")
    assert digest() == before
    copy.edit("models/packing.py", "import numpy as np", "import cupy as np")
    assert digest() != before


def test_a_definition_that_moves_changes_nothing(copy: Copy) -> None:
    before = copy.digest()
    shutil.copy(copy.folder / "models/packing.py", copy.folder / "models/moved.py")
    copy.edit(
        "models/families/ridge.py", "quant_assets.models.packing", "quant_assets.models.moved"
    )
    assert copy.digest() == before


def test_a_missing_module_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_code(RIDGE, package=tmp_path)
