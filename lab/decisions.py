# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make lab` has to do, decided from what is there."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def next_move(states: Mapping[str, str], made: bool | None, problems: Sequence[str] | None, fresh: bool) -> str:
    """What to do with the machines: ``keep``, ``start``, ``wait`` or ``build``.

    `states` is machine name to ``running``, ``dead`` or ``absent``. `made`
    says whether the cluster was once finished, and `problems` what keeps it
    from being whole; both are None where nobody could ask because machines
    are not running. `fresh` asks for a new cluster whatever is there.

    - every machine runs and the cluster is whole: keep it
    - every machine runs and something of a finished cluster is not up: wait for it
    - every machine is there and some do not run: start these, and look again
    - anything else was never finished: build it anew
    """
    seen = set(states.values())
    if fresh or not states or "absent" in seen or made is False:
        return "build"
    if "dead" in seen:
        return "start"
    return "wait" if problems else "keep"
