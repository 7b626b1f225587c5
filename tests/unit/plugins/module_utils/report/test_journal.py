# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal


class Tagged(str):
    """A subclass as ansible-core 2.19 hands it to an action plugin."""

    __slots__ = ()


PLAIN: list[tuple[t.Any, t.Any]] = [
    (None, None),
    (True, True),
    (3, 3),
    (0.5, 0.5),
    (Tagged("v1.35.4"), "v1.35.4"),
    ({Tagged("name"): [Tagged("cp1"), (1, 2)]}, {"name": ["cp1", [1, 2]]}),
    ({"b", "a"}, ["a", "b"]),
    (b"bytes", "bytes"),
    (datetime.date(2026, 1, 31), "2026-01-31"),
    (
        {"password": "x", "api_key": "x", "bootstrap-token": "x"},
        dict.fromkeys(("password", "api_key", "bootstrap-token"), "(hidden)"),
    ),
    ({"tokens_seen": 3, "secret_name": "tls", "token": None}, {"tokens_seen": 3, "secret_name": "tls", "token": None}),
    ({"tokens": ["a"], "token": ["a"]}, {"tokens": ["a"], "token": ["(hidden)"]}),
    ("curl -H 'Authorization: Bearer abcdefgh12345'", "curl -H 'Authorization: Bearer (hidden)'"),
    ("a -----BEGIN RSA PRIVATE KEY-----\nAAA\n-----END RSA PRIVATE KEY----- b", "a (hidden) b"),
    ("cut -----BEGIN PRIVATE KEY-----\nAAA", "cut (hidden)"),
    ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2ln rest", "(hidden) rest"),
]


@pytest.mark.parametrize("value, expected", PLAIN)
def test_plain(value: t.Any, expected: t.Any) -> None:
    made = journal.plain(value)
    assert made == expected
    assert made.__class__ is expected.__class__


def test_plain_text_drops_the_subclass() -> None:
    assert journal.plain_text(Tagged("x")).__class__ is str
    assert all(key.__class__ is str for key in journal.plain({Tagged("k"): 1}))


def test_entry_leaves_out_what_has_no_value() -> None:
    made = journal.entry(time="T", host="cp1", event="step", name=None, status=None, data={})
    assert made == {"time": "T", "host": "cp1", "event": "step"}


def test_append_makes_the_directory_and_keeps_the_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    for number in range(3):
        journal.append(str(path), {"number": number})
    assert [line["number"] for line in journal.read(str(path))] == [0, 1, 2]


def test_a_new_run_moves_the_old_file_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for run in (1, 2, 3):
        journal.append(str(path), {"run": run}, fresh=True)
        journal.append(str(path), {"run": run})
    assert [line["run"] for line in journal.read(str(path))] == [3, 3]
    assert [line["run"] for line in journal.read(f"{path}.1")] == [2, 2]


def test_a_half_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"n": 1}\n{"n": 2, "da', encoding="utf-8")
    journal.append(str(path), {"n": 3})
    assert [line["n"] for line in journal.read(str(path))] == [1, 3]


def test_writers_at_once_lose_no_line(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    long_text = "x" * 9000  # longer than what a pipe or a page writes as one piece

    def write(writer: int) -> None:
        for number in range(20):
            journal.append(path, {"writer": writer, "number": number, "text": long_text})

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    seen = [(line["writer"], line["number"]) for line in map(json.loads, lines)]
    assert sorted(seen) == [(writer, number) for writer in range(5) for number in range(20)]


def test_parse_skips_what_is_no_object() -> None:
    assert journal.parse(['{"a":1}', "", "[1]", "3", "{", '{"a":2}']) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("path", "obstacle"),
    [
        ("new.jsonl", ""),
        ("a/b/new.jsonl", ""),
        ("there.jsonl", ""),
        ("folder", "is no file that can be written"),
        ("there.jsonl/new.jsonl", "is no folder"),
    ],
)
def test_what_keeps_a_journal_from_being_written(tmp_path: Path, path: str, obstacle: str) -> None:
    (tmp_path / "there.jsonl").write_text("{}\n")
    (tmp_path / "folder").mkdir()
    said = journal.obstacle(str(tmp_path / path))
    assert obstacle in said if obstacle else said == ""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "there.jsonl"], "nothing was written"
