# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Trying again while an API server is away, until one deadline."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import (
    ApiStatusError,
    ApiUnreachable,
    is_flow_control,
    means_no_answer,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

if t.TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
# How long an API server that has just come back may answer 401 and 403 before that is believed.
STARTING_S = 15.0

_Answer = t.TypeVar("_Answer")


def pause_after(error: ApiStatusError | ApiUnreachable, attempt: int, *, starting: bool = False) -> float | None:
    """Seconds to wait before the next try, None where `error` is an answer to be acted on.

    `attempt` counts from 1. `starting` also takes 401 and 403 for passing: an
    API server that has just started may answer so until its authenticators and
    RBAC caches are filled.
    """
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt - 1, 10))
    if isinstance(error, ApiUnreachable):
        return None if error.permanent else pause
    if is_flow_control(error):
        return pause if error.retry_after is None else max(error.retry_after, FIRST_PAUSE_S)
    if means_no_answer(error):
        return pause if error.retry_after is None else max(error.retry_after, pause)
    if starting and error.status in (401, 403):
        return pause
    return None


def retrying(call: Callable[[], _Answer], deadline: Deadline, *, what: str, starting: bool = False) -> _Answer:
    """The answer of `call`, tried again while nobody answers, until `deadline`.

    401 and 403 are tried again for a short while after the server was away, and
    with `starting` from the beginning. At least one try is made. At the deadline the last error is raised, with
    `what` (such as ``reading node worker1``) and the number of tries in its
    message. Every other error is raised at once.
    """
    attempt = 0
    forgive_until = Deadline(STARTING_S) if starting else None
    while True:
        attempt += 1
        try:
            return call()
        except (ApiStatusError, ApiUnreachable) as error:
            if isinstance(error, ApiUnreachable) or means_no_answer(error):
                forgive_until = Deadline(STARTING_S)
            forgive = forgive_until is not None and not forgive_until.expired()
            pause = pause_after(error, attempt, starting=forgive)
            if pause is None or deadline.expired():
                tried = f" ({attempt} tries in {deadline.seconds:g} s)" if attempt > 1 and deadline.seconds else ""
                error.message = f"{what[:1].upper()}{what[1:]} failed{tried}: {error.message}"
                error.args = (error.message,)
                raise
        deadline.sleep(pause)
