# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time, seconds_between

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31T12:00:00.500000Z", NOON + timedelta(milliseconds=500)),
        (None, None),
        ("yesterday", None),
    ],
)
def test_parse_time(text: str | None, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:01.500Z", 1.5),
        (None, "2026-01-31T12:00:00Z", None),
        ("2026-01-31T12:00:00Z", "no time", None),
    ],
)
def test_seconds_between(first: str | None, second: str | None, expected: float | None) -> None:
    assert seconds_between(first, second) == expected
