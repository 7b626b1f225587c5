# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key of a repository is trusted, by the community's key of 2022 and the same one, prolonged."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import openpgp
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import keys

FIXTURES = Path(__file__).parents[1] / "kubeadm/fixtures"
OLD = (FIXTURES / "kubernetes-release-key-2022-08.asc").read_bytes()
NEW = (FIXTURES / "kubernetes-release-key-2024-10.asc").read_bytes()
FINGERPRINT = "DE15B14486CD377B9E876E1A234654DA9A296436"
OTHER = "0" * 40
IN_2024, IN_2025 = 1720000000, 1750000000


@pytest.mark.parametrize(
    ("data", "pinned", "now", "kept"),
    [
        (OLD, "", IN_2024, True),
        (OLD, "", IN_2025, False),
        (NEW, "", IN_2025, True),
        (openpgp.binary(NEW), FINGERPRINT, IN_2025, True),
        (NEW, OTHER, IN_2025, False),
        (b"", "", IN_2025, False),
        (b"<html>", "", IN_2025, False),
    ],
)
def test_a_valid_key_is_kept(data: bytes, pinned: str, now: float, kept: bool) -> None:
    assert keys.is_kept(data, pinned, now) is kept


@pytest.mark.parametrize(
    ("fetched", "before", "pinned"),
    [(NEW, b"", ""), (NEW, OLD, ""), (NEW, OLD, FINGERPRINT), (NEW, b"<html>", FINGERPRINT)],
)
def test_a_key_that_may_be_trusted(fetched: bytes, before: bytes, pinned: str) -> None:
    keys.check_fetched(fetched, before, pinned, "https://m/Release.key", "/etc/k.asc")


@pytest.mark.parametrize(
    ("fetched", "before", "pinned", "said"),
    [
        (NEW, b"", OTHER, f"has the fingerprint {FINGERPRINT}, and node_prepare_key_fingerprint is {OTHER}"),
        (b"<html>", b"", "", "is no OpenPGP key"),
        (b"", OLD, FINGERPRINT, "is no OpenPGP key"),
    ],
)
def test_a_key_that_is_refused(fetched: bytes, before: bytes, pinned: str, said: str) -> None:
    with pytest.raises(keys.KeyRefused, match=said):
        keys.check_fetched(fetched, before, pinned, "https://m/Release.key", "/etc/k.asc")


@pytest.mark.parametrize(
    "text", [FINGERPRINT, "DE15 B144 86CD 377B 9E87  6E1A 2346 54DA 9A29 6436", FINGERPRINT.lower()]
)
def test_a_fingerprint_as_gpg_shows_it(text: str) -> None:
    assert keys.fingerprint_of(text) == FINGERPRINT


def test_no_fingerprint() -> None:
    assert keys.fingerprint_of("") == ""
    with pytest.raises(keys.KeyRefused, match="9A296436"):
        keys.fingerprint_of("9A296436")


def test_apt_reads_armour_by_the_ending() -> None:
    assert keys.for_file(NEW, "/etc/apt/keyrings/k.asc", "deb") == NEW
    assert keys.for_file(NEW, "/etc/apt/keyrings/k.gpg", "deb") == openpgp.binary(NEW)
    assert keys.for_file(NEW, "/etc/pki/rpm-gpg/k", "rpm") == NEW
