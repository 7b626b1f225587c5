# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a kind of finding is: one entry an id. The pages in docs/findings/ are made from these."""

from __future__ import annotations

import typing as t


class Entry(t.NamedTuple):
    """One kind of finding, for a person who has just met it.

    `severities` are those that it can have. `title` is a few words without a
    full stop. `meaning` says what is wrong and what would happen in an upgrade,
    `cure` what to do; both are Markdown, a paragraph or more. `sources` are
    addresses where its rule is from. `passes` is whether it can end by itself
    within minutes, as where a static pod or a kubelet restarts.
    """

    id: str
    severities: tuple[str, ...]
    title: str
    meaning: str
    cure: str
    sources: tuple[str, ...] = ()
    passes: bool = False
