# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the program that a timer runs."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import actions, program
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.program import ProgramError


def test_defaults_are_those_of_the_module() -> None:
    found = program.options("saved", {"directory": "/srv", "keep_days": 3})
    assert set(found) == set(actions.OPTIONS)
    assert (found["directory"], found["keep_days"], found["compression"]) == ("/srv", 3, "none")
    assert (found["label"], found["timeout_s"], found["route"]) == (None, 1800, "auto")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "are no object"),
        ({"dirctory": "/srv"}, "have dirctory, which"),
        ({"keep_last": "7"}, "keep_last of saved is '7', which is no int"),
        ({"keep_last": True}, "which is no int"),
        ({"node_files": "yes"}, "which is no bool"),
        ({"age_recipients": "age1x"}, "which is no list"),
        ({"compression": "zip"}, "which is none of none, gzip"),
        ({"directory": 3}, "which is no path"),
    ],
)
def test_options_that_are_refused(given: t.Any, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        program.options("saved", given)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"saved": 1}', "\xff"])
def test_a_file_that_is_none(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "options.json"
    path.write_bytes(text.encode("latin-1"))
    assert program.main([str(path)]) == 1
    assert str(path) in capsys.readouterr().err
    assert program.main([str(tmp_path / "none")]) == 1


def test_a_save_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"saved": {"directory": str(tmp_path), "manifest": "/nowhere/etcd.yaml"}}))
    assert program.main([str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "/nowhere/etcd.yaml" in said.err
