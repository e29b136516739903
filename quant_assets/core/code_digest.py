"""A digest of code that does not depend on comments, docstrings and layout.

Modules are parsed and never imported. The digest covers some modules or functions, and every
definition of this package that they use, directly or indirectly. Of other packages, it covers the
imported names only; callers store versions of libraries beside the digest. The digest stays when a
definition moves to another module, and changes when a definition is renamed.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
_EVERYTHING = ""
_Reference = tuple[str, str]
"""A module and the name of a definition in it; ``_EVERYTHING`` is all of its definitions."""


def digest_code(
    *code: str | Callable[..., Any], outside: Sequence[str] = (), package: Path = PACKAGE
) -> str:
    """Digest modules or functions, and all definitions in their package that they use.

    Args:
        code: functions, or names of modules such as ``quant_assets.models.families.ridge``.
        outside: dotted names of packages, modules or definitions that are not followed.
        package: folder of the package that contains the code.

    Raises:
        FileNotFoundError: a module does not exist.
    """
    pending: list[_Reference] = [
        (part, _EVERYTHING) if isinstance(part, str) else (part.__module__, part.__name__)
        for part in code
    ]
    visited: set[_Reference] = set()
    texts: set[str] = set()
    while pending:
        reference = _resolve(pending.pop(), package)
        if reference in visited or _is_outside(reference, outside):
            continue
        visited.add(reference)
        module, name = reference
        parsed = _parse(_file(module, package).read_text(encoding="utf-8"))
        if name in parsed.imports:
            pending.append(parsed.imports[name])
        for statement in parsed.find_statements(name):
            texts.add(statement.text)
            pending += statement.imports
            pending += [
                parsed.imports.get(used, (module, used))
                for used in statement.names & parsed.known_names
            ]
    return sha256("\n".join(sorted(texts)).encode()).hexdigest()


@dataclass(frozen=True)
class _Statement:
    """A statement at the top of a module.

    Attributes:
        text: code of the statement, without docstrings and layout, and names from other packages.
        binds: names that it defines; a statement that defines none always counts as used.
        names: names that it uses.
        imports: definitions or modules of this package that it imports.
    """

    text: str
    binds: frozenset[str]
    names: frozenset[str]
    imports: tuple[_Reference, ...]


@dataclass(frozen=True)
class _Module:
    """A parsed module.

    Attributes:
        statements: its top-level statements, except imports.
        imports: definitions or modules of this package by the name of their import.
    """

    statements: tuple[_Statement, ...]
    imports: Mapping[str, _Reference]

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Names that the module defines or imports from this package."""
        return frozenset(self.imports).union(*(part.binds for part in self.statements))

    def find_statements(self, name: str) -> list[_Statement]:
        """Return the statements that define a name, and the statements that define no name."""
        return [
            statement
            for statement in self.statements
            if name == _EVERYTHING or name in statement.binds or not statement.binds
        ]


@lru_cache(maxsize=256)
def _parse(source: str) -> _Module:
    body = _WithoutDocstrings().visit(ast.parse(source)).body
    imports = [imported for node in body for imported in _imported_by(node)]
    external = {name: text for name, reference, text in imports if reference is None}
    statements = (
        _read_statement(node, external)
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_for_types_only(node)
    )
    own = {name: reference for name, reference, _ in imports if reference is not None}
    return _Module(tuple(statements), own)


def _read_statement(node: ast.stmt, external: Mapping[str, str]) -> _Statement:
    names = frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    text = "\n".join([ast.dump(node), *sorted(external[name] for name in names & {*external})])
    inner = (imported for part in ast.walk(node) for imported in _imported_by(part))
    imports = tuple(reference for _, reference, _ in inner if reference is not None)
    return _Statement(text, _bound_names(node), names, imports)


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes strings that are statements: docstrings, and descriptions below constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return None
        return node


def _bound_names(node: ast.stmt) -> frozenset[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return frozenset([node.name])
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return frozenset(name.id for name in names if isinstance(name.ctx, ast.Store))


def _is_for_types_only(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imported_by(node: ast.AST) -> Iterator[tuple[str, _Reference | None, str]]:
    """Yield each name that an import binds, what it refers to, and the import as text.

    The reference is None for other packages.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.split(".")[0]
            own = (alias.name, _EVERYTHING) if root == PACKAGE.name else None
            yield alias.asname or root, own, ast.dump(alias)
    elif isinstance(node, ast.ImportFrom):
        module = str(node.module)
        root = module.partition(".")[0]
        for alias in node.names:
            own = (module, alias.name) if root == PACKAGE.name else None
            yield alias.asname or alias.name, own, f"{module} {ast.dump(alias)}"


def _resolve(reference: _Reference, package: Path) -> _Reference:
    """Turn a submodule that is imported like a definition into a reference to the module."""
    module, name = reference
    if name and _file(f"{module}.{name}", package).exists():
        return f"{module}.{name}", _EVERYTHING
    return reference


def _is_outside(reference: _Reference, outside: Sequence[str]) -> bool:
    path = ".".join(part for part in reference if part)
    return any(path == name or path.startswith(f"{name}.") for name in outside)


def _file(module: str, package: Path) -> Path:
    path = package.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
