# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a worker is set aside, when the run stops, and what is said."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._failure.decisions import (
    SET_ASIDE,
    STOP,
    Failed,
    judge,
    read,
    says,
    sentence,
)

FAILED = Failed("w2", "Install the kubelet", "dpkg ended with 1.")


@pytest.mark.parametrize(
    ("spared", "others", "budget", "action"),
    [
        (True, [], 0, STOP),
        (True, [], 1, SET_ASIDE),
        (True, ["w2"], 1, SET_ASIDE),  # itself, noted before it is judged
        (True, ["w1"], 1, STOP),
        (True, ["w1"], 2, SET_ASIDE),
        (True, ["w1", "w2", "w3"], 2, STOP),
        (True, ["w1", "w2", "w3"], 3, SET_ASIDE),
        (True, [], -1, STOP),
        (False, [], 5, STOP),
        (False, ["w1"], 5, STOP),
    ],
)
def test_judge(spared: bool, others: list[str], budget: int, action: str) -> None:
    verdict = judge(FAILED, can_be_spared=spared, others=others, budget=budget)
    assert verdict.action == action
    assert ("upgrade_max_failed_workers" in verdict.reason) is spared


SECRET = "abcdef" + ".0123456789abcdef"


@pytest.mark.parametrize(
    ("result", "message", "hint"),
    [
        ({"msg": "It is full.", "hint": "Make room."}, "It is full.", "Make room."),
        ({"msg": "It is full. Make room.", "hint": "Make room."}, "It is full.", "Make room."),
        ({"msg": "One failed", "results": [{"msg": "good"}, {"failed": True, "msg": "bad"}]}, "bad", ""),
        (
            {"msg": "MODULE FAILURE\nSee stdout", "module_stderr": "Traceback\nOSError: no space left\n\n"},
            "MODULE FAILURE\nSee stdout OSError: no space left",
            "",
        ),
        ({"rc": 1, "stderr": "first\nlast\n"}, "last", ""),
        ({"unreachable": True, "msg": "Failed to connect: timed out"}, "Failed to connect: timed out", ""),
        ({"msg": f"token {SECRET} was refused"}, "token abcdef.(hidden) was refused", ""),
        ({"msg": {"a": 1}}, "{'a': 1}", ""),
        ({}, "", ""),
    ],
)
def test_read(result: dict[str, t.Any], message: str, hint: str) -> None:
    found = read("w2", "Do it", result)
    assert (found.message, found.hint) == (message, hint)


def test_a_long_message_is_cut() -> None:
    assert len(read("w2", "Do it", {"msg": "x y " * 5000}).message) < 2100


def told(kind: str, line: str) -> dict[str, str]:
    return {"kind": kind, "source": "kubelet.log", "line": line, "at": ""}


def test_what_the_node_says() -> None:
    lines = [told("disk_full", "no space left on device"), told("certificate", "x509: bad"), told("error", "")]
    assert says(FAILED, lines) == ["kubelet.log: no space left on device", "kubelet.log: x509: bad"]
    assert says(FAILED._replace(message="write: no space left on device"), lines) == ["kubelet.log: x509: bad"]
    # A budget is not to be read in a log of the kubelet.
    assert says(FAILED._replace(drain=True), lines) == ["kubelet.log: no space left on device"]
    assert read("w2", "Stop, with the drain's own words", {}).drain


def test_sentence() -> None:
    stop = judge(FAILED, can_be_spared=True, others=[], budget=0)
    text = sentence(FAILED._replace(hint="Make room"), stop, ["disk.txt: /: 0 of 9 MiB free"], "/a/b")
    assert text == (
        "Install the kubelet on w2 failed: dpkg ended with 1. The node says: disk.txt: /: 0 of 9 MiB free. Make room. "
        "More of it is in /a/b. No worker may fail: upgrade_max_failed_workers is 0. No other node was begun after "
        "this. When the cause is gone, run the same command again: what is done is skipped."
    )
    aside = judge(FAILED, can_be_spared=True, others=[], budget=1)
    text = sentence(FAILED._replace(message=""), aside, [], "")
    assert text.startswith("Install the kubelet on w2 failed: see above. 1 of at most 1 workers")
    assert text.endswith("The run goes on without this node. The next run takes it up again.")
