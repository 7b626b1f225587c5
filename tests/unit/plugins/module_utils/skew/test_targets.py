# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version that an operator means."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Repository, Request, finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.targets import target_findings, target_version
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

OFFERED = [Version.parse(text) for text in ("1.34.4", "1.35.3", "1.35.12", "1.36.0-rc.1")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("1.35.4", "1.35.4"),
        ("v1.35.4", "1.35.4"),
        ("1.35", "1.35.12"),
        (" v1.35 ", "1.35.12"),
        ("latest", "1.35.12"),
        ("1.36.0-rc.1", "1.36.0-rc.1"),
    ],
)
def test_target(asked: str, expected: str) -> None:
    assert str(target_version(asked, OFFERED)) == expected


@pytest.mark.parametrize(
    ("asked", "offered"), [("1.36", OFFERED), ("latest", []), ("1.35", []), ("newest", OFFERED), ("1.35.4-eks-1", [])]
)
def test_no_target(asked: str, offered: list[Version]) -> None:
    with pytest.raises(EvergreenError):
        target_version(asked, offered)


UNASKED = Repository(url="https://pkgs.k8s.io/core:/stable:/v{minor}/deb/")
NO_ANSWER = "https://pkgs.k8s.io/core:/stable:/v1.34/deb/Packages.gz gave no answer within 10 s."
ASKED = replace(UNASKED, answers={"cp1": "", "w1": ""})
GONE = replace(UNASKED, answers={"cp1": NO_ANSWER})
KNOWN_LATER = "-e preflight_ask_repositories=false"


def hops(*versions: str) -> list[t.Any]:
    return [{"to": version, "control_plane": ["cp1"], "workers": ["w1"]} for version in versions]


@pytest.mark.parametrize(
    ("target", "between", "offered", "repository", "expected"),
    [
        ("1.35.3", [], OFFERED, ASKED, []),
        ("1.35.4", [], OFFERED, ASKED, [("blocker", "cluster", "Choose 1.35.12")]),
        ("1.37.0", [], OFFERED, ASKED, [("blocker", "cluster", "node_prepare_repository_url")]),
        ("1.35.4", [], [], ASKED, [("blocker", "cluster", "node_prepare_repository_url")]),
        ("1.35.4", [], [], GONE, [("blocker", "node/cp1", KNOWN_LATER)]),
        # One node has another way there than the others.
        (
            "1.35.3",
            [],
            OFFERED,
            replace(ASKED, answers={"cp1": "", "w1": NO_ANSWER}),
            [("blocker", "node/w1", KNOWN_LATER)],
        ),
        ("1.35.3", [], OFFERED, replace(ASKED, answers={"cp1": "", "done": NO_ANSWER}), []),
        ("1.35.4", [], [], UNASKED, [("note", "cluster", "See that every node")]),
        ("1.37.0", [], OFFERED, UNASKED, [("note", "cluster", "See that every node")]),
        ("1.35.4", [], OFFERED, None, [("blocker", "cluster", "Choose 1.35.12")]),
        ("1.35.4", [], [], None, []),
        # A version on the way counts as the target does.
        ("1.35.3", ["1.34.9"], OFFERED, ASKED, [("blocker", "cluster", "Choose 1.34.4")]),
        ("1.37.0", ["1.35.3", "1.36.2"], OFFERED[:3], UNASKED, [("note", "cluster", "See that every node")]),
    ],
)
def test_offered(
    target: str,
    between: list[str],
    offered: list[Version],
    repository: Repository | None,
    expected: list[tuple[str, str, str]],
) -> None:
    request = Request(Version.parse(target), available=offered, repository=repository)
    found = target_findings(request, hops(*between, target), [])
    assert [(entry["severity"], entry["subject"]) for entry in found] == [entry[:2] for entry in expected]
    for entry, (_severity, _subject, remedy) in zip(found, expected):
        assert remedy in entry["remedy"]
        assert entry["id"] == "version-not-offered"


def test_what_is_not_known_names_all_versions_host_address_and_error() -> None:
    request = Request(Version.parse("1.37.0"), available=[], repository=GONE)
    (found,) = target_findings(request, hops("1.36.2", "1.37.0"), [])
    assert "can have 1.36.2, 1.37.0: https://pkgs.k8s.io/" in found["evidence"]
    assert "within 10 s" in found["evidence"]


def test_a_plan_that_goes_nowhere_needs_no_packages() -> None:
    request = Request(Version.parse("1.35.4"), available=[], repository=replace(GONE, url="http://m.example/{minor}/"))
    assert target_findings(request, [], []) == []
    # Without the versions between there is no hop, and the target is to be had all the same.
    problem = finding("intermediate-version-unknown", "blocker", "cluster", "", "")
    assert len(target_findings(request, [], [problem])) == 2


def test_the_newest_version_of_a_repository_that_is_gone() -> None:
    with pytest.raises(EvergreenError, match=r"none is known .*gave no answer within 10 s"):
        target_version("latest", [], NO_ANSWER)


@pytest.mark.parametrize(
    ("url", "fingerprint", "ids"),
    [
        ("http://me:secret@m.example/v{minor}/deb/", "", ["repository-plain-http"]),
        ("http://m.example/v{minor}/deb/", "DE15B14486CD377B9E876E1A234654DA9A296436", []),
        ("https://m.example/v{minor}/deb/", "", []),
        ("", "", []),
    ],
)
def test_plain_http(url: str, fingerprint: str, ids: list[str]) -> None:
    repository = Repository(url, fingerprint, {"cp1": ""})
    request = Request(Version.parse("1.35.3"), available=OFFERED, repository=repository)
    found = target_findings(request, hops("1.35.3"), [])
    assert [entry["id"] for entry in found] == ids
    assert not any("secret" in entry["evidence"] for entry in found)
