# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file's name says, and to which snapshot it belongs."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import backup_names

BASE = "etcd-prod-20260131T120000123Z.db"


@pytest.mark.parametrize(
    ("names", "own", "expected"),
    [
        ([], "", []),
        (
            ["etcd-a-1.db", "etcd-a-1.db.part", "etcd-a-2.db.part.part"],
            "",
            ["etcd-a-1.db.part", "etcd-a-2.db.part.part"],
        ),
        (["mine.db.part", "other.db.part", "x.part"], "mine.db", ["mine.db.part"]),
        (["etcd-a-1.db.part.gz", "etcd-a-1.part", "notetcd-a.db.part"], "", []),
        (
            ["etcd-a-1.db.gz.age.part", "etcd-a-1.db.node.tar.part", "etcd-a-1.db.json.part", "etcd-a-1.db.zip.part"],
            "",
            ["etcd-a-1.db.gz.age.part", "etcd-a-1.db.json.part", "etcd-a-1.db.node.tar.part"],
        ),
        (["mine.db.node.tar.gz.part", "other.db.gz.part"], "mine.db", ["mine.db.node.tar.gz.part"]),
    ],
)
def test_what_killed_saves_left(names: list[str], own: str, expected: list[str]) -> None:
    assert backup_names.stale_parts(names, own) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("prod", "etcd-prod-20260131T120000123Z.db"),
        ("../a b/ü", "etcd-.._a_b__-20260131T120000123Z.db"),
        ("", "etcd-node-20260131T120000123Z.db"),
    ],
)
def test_default_name(label: str, expected: str) -> None:
    assert backup_names.default_name(label, "2026-01-31T12:00:00.123Z") == expected
    own = backup_names.own_name(expected)
    assert own
    assert own.label == backup_names.clean_label(label)


@pytest.mark.parametrize("suffix", backup_names.SUFFIXES)
def test_every_file_of_a_snapshot_is_known(suffix: str) -> None:
    own = backup_names.own_name(BASE + suffix)
    taken = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=timezone.utc)
    assert own == backup_names.OwnName(BASE, "prod", taken, suffix)
    assert own.is_snapshot == (suffix in ("", ".gz", ".age", ".gpg", ".gz.age", ".gz.gpg"))


@pytest.mark.parametrize(
    "name",
    [
        "etcd-prod.db",
        "etcd-20260131T120000123Z.db",
        "myetcd-prod-20260131T120000123Z.db",
        "etcd-prod-20260131T120000Z.db",
        "etcd-prod-20261331T120000123Z.db",
        "etcd-prod-20260131T120000123Z",
        "etcd-prod-20260131T120000123Z.tar",
        "etcd-a b-20260131T120000123Z.db",
        BASE + ".part",
        BASE + ".gz.part",
        BASE + ".bak",
        BASE + ".age.gz",
        BASE + ".sha256",
        BASE + "\n",
    ],
)
def test_a_foreign_name_is_none_of_ours(name: str) -> None:
    assert backup_names.own_name(name) is None


def test_a_label_may_look_like_a_timestamp() -> None:
    own = backup_names.own_name("etcd-a-20250101T000000000Z-20260131T120000123Z.db.gz")
    assert own
    assert (own.label, own.taken.year) == ("a-20250101T000000000Z", 2026)
