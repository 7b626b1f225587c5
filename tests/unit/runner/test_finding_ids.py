# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of ids from sources, on small sources, and then on the collection's own beside the catalogue."""

from __future__ import annotations

import functools

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.all import ENTRIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import SEVERITIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import NO_PLAN
from runner.finding_ids import Use, read
from runner.project import ROOT

SOURCES = sorted((ROOT / "plugins/module_utils/_skew").glob("*.py"))


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        ('finding("a", BLOCKER, s)', {("a", "blocker")}),
        ('finding(id="a", severity=NOTE)', {("a", "note")}),
        ('finding("a" if x else "b", WARNING)', {("a", "warning"), ("b", "warning")}),
        ('def f():\n  sev = NOTE\n  if x:\n    sev = BLOCKER\n  finding("a", sev)', {("a", "note"), ("a", "blocker")}),
        (
            'def f():\n  sev, w = (NOTE, 1) if x else (BLOCKER, 2)\n  finding("a", sev)',
            {("a", "note"), ("a", "blocker")},
        ),
        (
            'def w(id, e):\n  return finding(id, BLOCKER, e)\nw("a", 1)\nw("b", e=2)',
            {("a", "blocker"), ("b", "blocker")},
        ),
        (
            'def w(s, id):\n  finding(id, s)\ndef v(id):\n  w(NOTE, id)\nv("a")\nw(WARNING, "b")',
            {("a", "note"), ("b", "warning")},
        ),
        ('def w(id, s=NOTE):\n  finding(id, s)\nw("a")\nw("b", WARNING)', {("a", "note"), ("b", "warning")}),
        ('finding("a" if x[0] else "b", NOTE if x[0] else WARNING)', {("a", "note"), ("b", "warning")}),
        (
            'finding("a" if x else "b", NOTE if y else WARNING)',
            {("a", "note"), ("b", "warning"), ("a", "warning"), ("b", "note")},
        ),
        ('finding("a", rule.severity)', {("a", "")}),
        ('finding(first["id"], first["severity"])', set()),
        (
            'RULES = (("a", NOTE), ("b", WARNING))\nfor i, s in RULES:\n  finding(i, NOTE)',
            {("a", "note"), ("b", "note")},
        ),
        ('[finding(i, NOTE) for i in ("a", "b")]', {("a", "note"), ("b", "note")}),
    ],
)
def test_what_can_be_read(source: str, pairs: set[tuple[str, str]]) -> None:
    found = read(source)
    assert ({(use.id, use.severity) for use in found.uses}, found.unreadable) == (pairs, [])


def test_an_id_that_is_filled_in_is_a_pattern() -> None:
    (use,) = read('finding(f"etcd-before-{minor}", BLOCKER)').uses
    assert use.means("etcd-before-3.7")
    assert not use.means("etcd-before-")
    assert not use.means("the-etcd-before-3.7")


@pytest.mark.parametrize(
    "source", ["finding(rule.id, NOTE)", "finding(ids[0], NOTE)", "def never_called(id): finding(id, NOTE)"]
)
def test_what_cannot_be_read_is_told(source: str) -> None:
    assert read(source).unreadable == [1]


@functools.cache
def _uses() -> list[tuple[str, Use]]:
    return [(path.name, use) for path in SOURCES for use in read(path.read_text(encoding="utf-8")).uses]


def test_every_id_of_the_sources_can_be_read() -> None:
    unreadable = [f"{p.name}:{line}" for p in SOURCES for line in read(p.read_text(encoding="utf-8")).unreadable]
    assert unreadable == []
    assert len(_uses()) > 50


def test_every_finding_is_in_the_catalogue_with_its_severity() -> None:
    missing = [
        f"{file}:{use.line}: {use.id} as {use.severity}"
        for file, use in _uses()
        if not any(use.is_of(entry.id, severity) for entry in ENTRIES for severity in entry.severities)
    ]
    assert missing == []


def test_everything_in_the_catalogue_is_found_somewhere() -> None:
    unused = [
        f"{entry.id} as {severity}"
        for entry in ENTRIES
        for severity in entry.severities
        if not any(use.is_of(entry.id, severity) for _file, use in _uses())
    ]
    assert unused == []


def test_entries_are_whole_and_there_once() -> None:
    ids = [entry.id for entry in ENTRIES]
    assert sorted(ids) == sorted(set(ids))
    assert set(NO_PLAN) <= set(ids)
    for entry in ENTRIES:
        assert entry.severities, entry.id
        assert set(entry.severities) <= set(SEVERITIES), entry.id
        assert entry.title.strip(), entry.id
        assert not entry.title.endswith("."), entry.id
        assert entry.meaning.strip(), entry.id
        assert entry.cure.strip(), entry.id
        assert all(source.startswith("https://") for source in entry.sources), entry.id
