# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What results of etcd_member say, and when they say nothing."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    said,
    static,
)

NAMES = ("c1", "c2", "c3")


def plane(name: str, last: int) -> dict[str, t.Any]:
    made = node(name, control_plane=True)
    made["status"]["addresses"] = [{"type": "InternalIP", "address": f"10.0.0.{last}"}]
    return made


def member(number: int, name: str | None = None, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": f"{number:x}",
        "name": f"c{number}" if name is None else name,
        "peer_urls": [f"https://10.0.0.{number}:2380"],
        "learner": False,
        "problem": "",
        "version": "3.6.5",
        "db_size": 100 << 20,
        "db_size_in_use": 50 << 20,
        "db_size_quota": 2 << 30,
        **changes,
    }


def look(*members: dict[str, t.Any], leader: str = "c1", **changes: t.Any) -> dict[str, t.Any]:
    return {"changed": False, "members": list(members), "leader": leader, "alarms": [], "checks": [], **changes}


THREE = (member(1), member(2), member(3))


def findings(*looks: dict[str, t.Any], names: tuple[str, ...] = NAMES) -> list[tuple[str, str, str]]:
    found = cluster(
        nodes=[plane(name, place) for place, name in enumerate(names, 1)],
        pods=[pod for name in names for pod in control_plane(name)],
    )
    return said(decide(found, etcd_members=list(looks)))


def test_three_healthy_members() -> None:
    assert findings() == []
    assert findings(*[look(*THREE)] * 3) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(look(member(1), member(2)), ("blocker", "etcd-member-missing", "node/c3"), id="missing"),
        pytest.param(
            look(*THREE, member(9, "old", problem="timed out"), member(8, "older")),
            ("blocker", "etcd-member-unknown", "etcd/old"),
            id="left over and dead",
        ),
        pytest.param(
            look(*THREE, member(8, "older"), member(9, "oldest")),
            ("warning", "etcd-member-unknown", "etcd/older"),
            id="left over and alive",
        ),
        pytest.param(look(*THREE[:2], member(3, learner=True)), ("blocker", "etcd-learner", "etcd/c3"), id="learner"),
        pytest.param(
            look(*THREE[:2], member(3, "")),
            ("blocker", "etcd-member-unstarted", "etcd/(not started, id 3)"),
            id="never started, known by its address",
        ),
        pytest.param(
            look(*THREE[:2], member(3, problem="timed out")),
            ("blocker", "etcd-member-unhealthy", "etcd/c3"),
            id="does not answer",
        ),
        pytest.param(
            look(
                member(1),
                member(2, peer_urls=["https://10.0.0.3:2380"]),
                member(3, peer_urls=["https://10.0.0.2:2380"]),
            ),
            ("warning", "etcd-member-name", "etcd/c2"),
            id="addresses exchanged",
        ),
        pytest.param(look(*THREE, leader=""), ("blocker", "etcd-no-leader", "etcd"), id="no leader"),
        pytest.param(
            look(*THREE[:2], member(3, version="3.4.9")), ("blocker", "etcd-versions-differ", "etcd"), id="far apart"
        ),
        pytest.param(
            look(*THREE, alarms=[{"alarm": "NOSPACE", "member": "c2"}]), ("blocker", "etcd-alarm", "etcd/c2"), id="full"
        ),
        pytest.param(
            look(*THREE, alarms=[{"alarm": "CORRUPT", "member": "c2"}]),
            ("blocker", "etcd-alarm", "etcd/c2"),
            id="corrupt",
        ),
        pytest.param(
            look(*THREE[:2], member(3, db_size=1700 << 20)),
            ("warning", "etcd-nearly-full", "etcd/c3"),
            id="nearly full",
        ),
        pytest.param(
            look(*THREE[:2], member(3, db_size=1700 << 20, db_size_quota=0)),
            ("warning", "etcd-nearly-full", "etcd/c3"),
            id="nearly full by the default quota",
        ),
        pytest.param(
            look(*(member(n, hash=n // 3, hash_revision=9, hash_compact_revision=1) for n in (1, 2, 3))),
            ("blocker", "etcd-hash-differs", "etcd"),
            id="other data",
        ),
        pytest.param(
            {"failed": True, "msg": "no certificate"}, ("blocker", "etcd-not-observed", "etcd"), id="could not be asked"
        ),
    ],
)
def test_one_thing_wrong(given: dict[str, t.Any], expected: tuple[str, str, str]) -> None:
    assert expected in findings(given)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(look(*THREE[:2], member(3, version="3.5.26")), id="a minor apart, half upgraded"),
        pytest.param(look(*THREE[:2], member(3, db_size=1500 << 20)), id="room enough"),
        pytest.param(look(*THREE[:2], member(3, db_size=1700 << 20, db_size_quota=8 << 30)), id="a larger quota"),
        pytest.param(look(*THREE[:2], member(3, db_size=1700 << 20, db_size_quota=-1)), id="no quota"),
        pytest.param(
            look(*(member(n, hash=n, hash_revision=9, hash_compact_revision=n) for n in (1, 2, 3))),
            id="hashes that cannot be compared",
        ),
        pytest.param(
            look(*(member(n, hash=7, hash_revision=9, hash_compact_revision=1) for n in (1, 2, 3))), id="the same data"
        ),
    ],
)
def test_nothing_wrong(given: dict[str, t.Any]) -> None:
    assert findings(given) == []


def test_nodes_that_see_different_members() -> None:
    assert ("blocker", "etcd-views-differ", "etcd") in findings(
        look(*THREE), look(member(1), member(2), member(9, "c3"))
    )


@pytest.mark.parametrize(("names", "expected"), [(("c1",), True), (("c1", "c2"), True), (("c1", "c2", "c3"), False)])
def test_how_many_members(names: tuple[str, ...], expected: bool) -> None:
    given = look(*(member(place) for place, _name in enumerate(names, 1)))
    assert (("note", "etcd-member-count", "etcd") in findings(given, names=names)) is expected


def test_the_members_of_an_external_etcd_are_no_nodes() -> None:
    found = cluster(pods=control_plane("c1", etcd=None))
    assert said(decide(found, etcd_members=[look(member(7, "elsewhere"))])) == []


@pytest.mark.parametrize(("flag", "expected"), [("8589934592", False), ("0", True), ("-1", False), ("x", True)])
def test_before_36_the_flag_says_the_quota(flag: str, expected: bool) -> None:
    found = cluster(
        nodes=[plane("c1", 1)],
        pods=[*control_plane("c1")[:3], static("etcd", "c1", "3.5.26-0", f"--quota-backend-bytes={flag}")],
        cluster_config=None,
    )
    given = look(member(1, version="3.5.26", db_size=1900 << 20, db_size_quota=0))
    ids = [entry[1] for entry in said(decide(found, "1.34.5", etcd_members=[given]))]
    assert ("etcd-nearly-full" in ids) is expected


def external(*looks: dict[str, t.Any], **request: t.Any) -> list[tuple[str, str, str]]:
    """What is said of a cluster whose etcd is no static pod."""
    pods = [
        pod for name in NAMES for pod in control_plane(name) if pod["metadata"]["labels"].get("component") != "etcd"
    ]
    found = cluster(nodes=[plane(name, place) for place, name in enumerate(NAMES, 1)], pods=pods)
    return [
        each
        for each in said(decide(found, etcd_members=list(looks), **request))
        if each[1].startswith(("etcd-", "backup-"))
    ]


SAVED = {"failed": False, "files": ["/var/backups/etcd/etcd-c1-x.db"], "archive": {"left_out": []}}
REFUSED = {"failed": False, "msg": "No snapshot was taken from https://10.0.0.1:2379: free_space (1 MiB free)."}
INCOMPLETE = {
    **SAVED,
    "archive": {"left_out": [{"path": "/etc/kubernetes/ssl/ca.key", "reason": "it is not on this node"}]},
}


@pytest.mark.parametrize(
    ("looks", "options", "expected"),
    [
        ([look(*THREE)] * 3, {}, []),
        ([{"failed": False, "msg": "connection refused"}], {}, [("blocker", "etcd-not-observed", "etcd")]),
        ([look(member(1), member(2), member(3, problem="x"))], {}, [("blocker", "etcd-member-unhealthy", "etcd/c3")]),
        # A run that saves no backup has nothing to do with it.
        (
            [{"failed": False, "msg": "connection refused"}],
            {"without_backup": True},
            [("warning", "backup-left-out", "etcd")],
        ),
    ],
)
def test_an_external_etcd(
    looks: list[dict[str, t.Any]], options: dict[str, t.Any], expected: list[tuple[str, str, str]]
) -> None:
    found = external(*looks, **options)
    assert [each for each in found if each[1] != "etcd-external"] == expected


@pytest.mark.parametrize(
    ("backups", "expected"),
    [
        ({}, []),
        ({"c1": SAVED, "c2": SAVED}, []),
        ({"c1": REFUSED}, [("blocker", "backup-not-possible", "node/c1")]),
        # Another node may save it.
        ({"c1": REFUSED, "c2": SAVED}, [("warning", "backup-not-possible", "node/c1")]),
        ({"c1": INCOMPLETE}, [("warning", "backup-incomplete", "node/c1")]),
    ],
)
def test_whether_a_backup_can_be_saved(
    backups: dict[str, dict[str, t.Any]], expected: list[tuple[str, str, str]]
) -> None:
    assert external(backups=backups) == expected


def test_the_words_about_a_backup() -> None:
    found = cluster(nodes=[plane("c1", 1)], pods=control_plane("c1"))
    told = {
        each["id"]: each
        for backups in ({"c1": REFUSED}, {"c1": INCOMPLETE})
        for each in decide(found, backups=backups)["findings"]
    }
    assert "free_space (1 MiB free)" in told["backup-not-possible"]["evidence"]
    assert "-e upgrade_without_backup=true" in told["backup-not-possible"]["remedy"]
    assert "/etc/kubernetes/ssl/ca.key (it is not on this node)" in told["backup-incomplete"]["evidence"]
