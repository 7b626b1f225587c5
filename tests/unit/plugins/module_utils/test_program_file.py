# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file of a module and all that it imports, run by Python alone."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _program_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import program


def test_imports_of_a_source() -> None:
    prefix = _program_file.PREFIX
    source = f"""
import os, typing as t
from {prefix} import _deadline, _errors
from {prefix}._etcd.model import Access, Check
if t.TYPE_CHECKING:
    from {prefix}._api.client import Client
def late():
    from {prefix}._etcd import tls
from collections import abc
"""
    assert sorted(name[len(prefix) + 1 :] for name in _program_file.imported(source)) == [
        "_deadline",
        "_errors",
        "_etcd.model",
        "_etcd.model",
        "_etcd.tls",
    ]


def test_the_program_of_the_timer_needs_nothing_of_ansible() -> None:
    closure = _program_file.closure(program.__name__)
    assert f"{_program_file.PREFIX}._etcd.saving" in closure
    assert f"{_program_file.PREFIX}._yamlread" in closure
    lines = [line for text in closure.values() for line in text.splitlines()]
    # Below `if t.TYPE_CHECKING` it is for types alone.
    assert [line for line in lines if line.startswith(("from ansible.", "import ansible"))] == []
    assert [line for line in lines if line.startswith("    from ansible.")] != []
    assert not any(name.startswith(f"{_program_file.PREFIX}._api") for name in closure)


def test_the_same_file_each_time() -> None:
    once = _program_file.build(program.__name__)
    assert once == _program_file.build(program.__name__)
    names = zipfile.ZipFile(io.BytesIO(once)).namelist()
    assert names == sorted(names)
    assert "__main__.py" in names


def test_python_runs_it_alone(tmp_path: Path) -> None:
    """Without a path to any package of this machine, from another folder."""
    file = tmp_path / "backup.pyz"
    file.write_bytes(_program_file.build(program.__name__))
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (1, "", "Name one file of options.\n")
