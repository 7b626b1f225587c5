# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Parts of data that somebody else wrote: what is of another type than it should be counts as empty. Pure."""

from __future__ import annotations

import typing as t


def dict_of(value: object) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def dicts_of(value: object) -> list[dict[str, t.Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
