# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package repositories, their keys and the clock, from texts as nodes have them.

The two keys are the community's own: as it was published in August 2022, and prolonged in October 2024.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import clock, openpgp, repositories
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

FIXTURES = Path(__file__).parent / "fixtures"
OLD_KEY = (FIXTURES / "kubernetes-release-key-2022-08.asc").read_bytes()
NEW_KEY = (FIXTURES / "kubernetes-release-key-2024-10.asc").read_bytes()
FINGERPRINT = "DE15B14486CD377B9E876E1A234654DA9A296436"
ADDRESS = "https://pkgs.k8s.io/core:/stable:/v1.35/deb/"


def binary(armoured: bytes) -> bytes:
    lines = armoured.decode().splitlines()
    return base64.b64decode("".join(line for line in lines[3:-1] if not line.startswith("=")))


@pytest.mark.parametrize(
    ("data", "expires"),
    [
        (OLD_KEY, 1730564471),  # 2024-11-02
        (NEW_KEY, 1798508024),  # 2026-12-29
        (binary(NEW_KEY), 1798508024),
        (b"\n".join(line.strip() for line in NEW_KEY.splitlines()), 1798508024),
    ],
)
def test_the_key_of_the_community(data: bytes, expires: int) -> None:
    (key,) = openpgp.public_keys(data)
    assert (key.fingerprint, key.created, key.revoked) == (FINGERPRINT, 1661444471, False)
    assert key.expires == expires


def test_a_ring_of_several_keys_and_of_none() -> None:
    first, second = openpgp.public_keys(OLD_KEY + NEW_KEY)
    assert (first.expires or 0) < (second.expires or 0)
    assert openpgp.public_keys(b"") == []
    assert openpgp.public_keys(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----") == []
    (cut_off,) = openpgp.public_keys(binary(NEW_KEY)[:-3])
    assert (cut_off.fingerprint, cut_off.expires) == (FINGERPRINT, second.expires)


def test_a_signature_of_somebody_else_says_nothing() -> None:
    # The community's key carries one, of the build service, without an expiry.
    (key,) = openpgp.public_keys(OLD_KEY)
    assert key.expires is not None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"deb [signed-by=/etc/apt/keyrings/k.asc] {ADDRESS} /", [("1.35", False, ["/etc/apt/keyrings/k.asc"])]),
        (f"deb [arch=amd64 signed-by=/a.gpg,/b.gpg] {ADDRESS} /", [("1.35", False, ["/a.gpg", "/b.gpg"])]),
        ("deb https://apt.kubernetes.io/ kubernetes-xenial main", [("", True, [])]),
        ("deb http://packages.cloud.google.com/apt kubernetes-xenial main", [("", True, [])]),
        ("deb http://packages.cloud.google.com/apt cloud-sdk main", []),
        ("deb http://mirror.example/k8s/core:/stable:/v1.34/deb/ /", [("1.34", False, [])]),
        ("deb https://mirror.example/core%3A/stable%3A/v1.34/deb/ /", [("1.34", False, [])]),
        ("deb https://mirror.example/kubernetes-new/core/stable/v1.34/deb/ /", [("1.34", False, [])]),
        (f"# deb {ADDRESS} /", []),
        ("deb http://deb.debian.org/debian bookworm main", []),
        ("", []),
    ],
)
def test_one_line_sources(line: str, expected: list[tuple[str, bool, list[str]]]) -> None:
    found = repositories.one_line_sources(f"{line}\n", "/etc/apt/sources.list")
    assert [(entry.minor, entry.legacy, entry.key_files) for entry in found if entry.of_kubernetes] == expected


def test_no_password_of_an_address_is_kept() -> None:
    (entry,) = repositories.one_line_sources("deb https://me:secret@m.example/core:/stable:/v1.35/deb/ /", "f")
    assert entry.url == "https://m.example/core:/stable:/v1.35/deb/"


def test_deb822_sources() -> None:
    embedded = "".join(f" {line or '.'}\n" for line in NEW_KEY.decode().splitlines())
    text = (
        f"Types: deb\nURIs: {ADDRESS}\nSuites: /\nSigned-By: /etc/apt/keyrings/k.gpg\n\n"
        f"# another\nTypes: deb\nURIs: {ADDRESS}\nSuites: /\nEnabled: no\nSigned-By:\n{embedded}"
    )
    first, second = repositories.deb822_sources(text, "/etc/apt/sources.list.d/k.sources")
    assert (first.enabled, first.key_files, first.embedded_key) == (True, ["/etc/apt/keyrings/k.gpg"], "")
    assert (second.enabled, second.key_files) == (False, [])
    assert [key.fingerprint for key in openpgp.public_keys(second.embedded_key.encode())] == [FINGERPRINT]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ADDRESS, True),
        (ADDRESS.rstrip("/"), True),
        ("https://PKGS.k8s.io/core%3A/stable%3A/v1.35/deb/", True),
        ("https://me:secret@pkgs.k8s.io/core:/stable:/v1.35/deb/", True),
        (ADDRESS.replace("1.35", "1.34"), False),
        (ADDRESS.replace("https", "http"), False),
        (ADDRESS.replace("deb/", "rpm/"), False),
    ],
)
def test_one_repository_in_other_words(other: str, same: bool) -> None:
    assert repositories.same_address(ADDRESS, other) is same


def test_sources_alone_are_no_packages() -> None:
    text = f"Types: deb-src\nURIs: {ADDRESS}\nSuites: /\n\nTypes: deb deb-src\nURIs: {ADDRESS}\nSuites: /\n"
    (entry,) = repositories.deb822_sources(text, "k.sources")
    assert (entry.url, entry.suites) == (ADDRESS, ["/"])


def test_rpm_repositories() -> None:
    text = (
        "[kubernetes]\nname=Kubernetes\nbaseurl=https://pkgs.k8s.io/core:/stable:/v1.34/rpm/\nenabled=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/k https://pkgs.k8s.io/core:/stable:/v1.34/rpm/repodata/repomd.xml.key\n"
        "[old]\nbaseurl=https://packages.cloud.google.com/yum/repos/kubernetes-el7-x86_64\nenabled=0\n"
        "[base]\nbaseurl=https://mirror.example/base\n"
    )
    found = repositories.rpm_repositories(text, "/etc/yum.repos.d/kubernetes.repo")
    assert [(e.minor, e.legacy, e.enabled, e.key_files) for e in found if e.of_kubernetes] == [
        ("1.34", False, True, ["/etc/pki/rpm-gpg/k"]),
        ("", True, False, []),
    ]
    assert repositories.rpm_repositories("no section\n", "f") == []


def test_a_node(tmp_path: Path) -> None:
    for path, data in (
        ("etc/apt/sources.list.d/kubernetes.list", f"deb [signed-by=/etc/apt/k.asc] {ADDRESS} /\n".encode()),
        ("etc/apt/sources.list.d/kubernetes.list.save", f"deb {ADDRESS} /\n".encode()),
        ("etc/apt/k.asc", NEW_KEY),
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (found,) = repositories.read_repositories(Node(tmp_path))
    (key,) = found.pop("keys")
    assert found == {
        "file": "/etc/apt/sources.list.d/kubernetes.list",
        "url": ADDRESS,
        "enabled": True,
        "minor": "1.35",
        "legacy": False,
    }
    assert (key["file"], key["fingerprint"], key["revoked"]) == ("/etc/apt/k.asc", FINGERPRINT, False)
    assert key["expires"].startswith("2026-12-29T")
    assert repositories.read_repositories(Node(tmp_path / "nothing")) == []


def test_the_clock_of_this_machine() -> None:
    found = clock.kernel_clock()
    assert found["synchronised"] in (True, False, None)
    assert found["max_error_s"] is None or found["max_error_s"] >= 0
