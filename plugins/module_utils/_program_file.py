# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One file that Python runs without this collection and without Ansible: a module of it with all that it imports."""

from __future__ import annotations

import ast
import importlib.util
import io
import typing as t
import zipfile

PREFIX = "ansible_collections.evergreen.kubeadm.plugins.module_utils"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, so that the same sources give the same file."""


def build(module: str) -> bytes:
    """A zip for ``python FILE ARGUMENT ...``, which calls ``main`` of the module with the arguments.

    `module` is a full name below PREFIX. Where the sources come from, a
    checkout, an installed collection or the archive that Ansible sends to a
    node, makes no difference.
    """
    names = closure(module)
    files = {f"{name.replace('.', '/')}.py": text for name, text in names.items()}
    # Packages of a zip are those with a file of their own.
    for name in names:
        parts = name.split(".")[:-1]
        files.update({"/".join([*parts[:count], "__init__.py"]): "" for count in range(1, len(parts) + 1)})
    files["__main__.py"] = f"import sys\n\nfrom {module} import main\n\nsys.exit(main(sys.argv[1:]))\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return out.getvalue()


def closure(module: str) -> dict[str, str]:
    """Name and source of `module` and of all modules of the collection that it imports, and those import."""
    found: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = _source(name)
            pending += imported(found[name])
    return found


def imported(source: str) -> list[str]:
    """The modules below PREFIX that a source imports when it runs, not those that only its types name."""
    found: list[str] = []
    for node in _running(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PREFIX):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if _is_module(name) else node.module for name in inside]
    return found


def _running(tree: ast.AST) -> t.Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not typing_only:
            yield node
            yield from _running(node)


def _is_module(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return False
    return spec is not None and spec.origin is not None


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    source = spec.loader.get_source(name) if spec and spec.loader else None  # type: ignore[attr-defined]
    if source is None:
        raise ImportError(f"{name} has no source.")
    # Ansible's own loader has the bytes of it.
    return source.decode() if isinstance(source, bytes) else t.cast("str", source)
