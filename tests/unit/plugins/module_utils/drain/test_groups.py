# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order pods leave, and which do not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.decisions import classify, refusal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import LABEL, read_rules, treatment
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.drain.objects import (
    TERMINATING,
    owned_by,
    pod,
)

Json = dict[str, t.Any]

WEB = owned_by("ReplicaSet")
JOB = {"selector": "app=job", "behaviour": "wait_completed"}
LATE = {"selector": "app=db", "order": 100}
EARLY = {"selector": "app", "order": -1}
ELSEWHERE = {"namespaces": ["other"], "behaviour": "skip"}
ALL_STAY = {"behaviour": "skip"}


def labelled(**labels: str) -> Json:
    return pod(labels={LABEL if key == "drain" else key: value for key, value in labels.items()}, owners=WEB)


@pytest.mark.parametrize(
    ("found", "rules", "behaviour", "order"),
    [
        (labelled(), [], "evict", 0),
        (labelled(app="job"), [JOB], "wait_completed", 0),
        (labelled(app="db"), [JOB, LATE], "evict", 100),
        # The first rule that fits counts.
        (labelled(app="db"), [EARLY, LATE], "evict", -1),
        (labelled(app="db"), [ELSEWHERE, LATE], "evict", 100),
        (labelled(app="db"), [ALL_STAY, LATE], "skip", 0),
        # What the pod says of itself wins, in any case of letters.
        (labelled(drain="skip", app="db"), [LATE], "skip", 100),
        (labelled(drain="Wait-Completed"), [ALL_STAY], "wait_completed", 0),
        (labelled(drain="later"), [ALL_STAY], "skip", 0),
        (labelled(drain=""), [], "evict", 0),
    ],
)
def test_label_before_rule_before_default(found: Json, rules: list[Json], behaviour: str, order: int) -> None:
    asked = treatment(found, read_rules(rules), by_priority=False)
    assert (asked.behaviour, asked.group) == (behaviour, (order, 0))


@pytest.mark.parametrize(("by_priority", "group"), [(False, (0, 0)), (True, (0, 2000))])
def test_priority_is_asked_for(by_priority: bool, group: tuple[int, int]) -> None:
    found = labelled()
    found["spec"]["priority"] = 2000
    assert treatment(found, (), by_priority=by_priority).group == group


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([{"selector": "app in web"}], "'app in web'"),
        ([{"selector": "app=web", "behaviour": "skip", "order": 3}], "contradict"),
    ],
)
def test_rules_that_make_no_sense(rules: list[Json], told: str) -> None:
    with pytest.raises(EvergreenError) as caught:
        read_rules(rules)
    assert told in caught.value.message


def decided(found: Json, *rules: Json, **options: t.Any) -> tuple[str, str, str]:
    record = classify(found, "w1", Options(rules=read_rules(list(rules)), **options), {("n", "agent")})
    return record.decision, "; ".join(record.reasons), record.outcome


AGENT = owned_by("DaemonSet", "agent")


@pytest.mark.parametrize(
    ("found", "rules", "decision", "outcome"),
    [
        # A pod that stays, or ends by itself, forbids nothing.
        (pod(labels={"app": "job"}), [JOB], "wait_completed", "untouched"),
        (pod(empty_dir=True), [ALL_STAY], "skip", "untouched"),
        (pod(owners=AGENT), [ALL_STAY], "skip", "untouched"),
        (pod(owners=AGENT), [LATE], "refuse", "untouched"),
        (pod(annotations={"kubernetes.io/config.mirror": "x"}), [{"behaviour": "evict"}], "skip", "untouched"),
        (pod(labels={"app": "job"}, phase="Succeeded"), [JOB], "wait_completed", "completed"),
        (pod(labels={"app": "job"}, **TERMINATING), [JOB], "wait", "untouched"),
        (pod(**TERMINATING), [ALL_STAY], "skip", "untouched"),
    ],
)
def test_decisions_with_rules(found: Json, rules: list[Json], decision: str, outcome: str) -> None:
    seen = decided(found, *rules)
    assert (seen[0], seen[2]) == (decision, outcome)


def test_reasons_name_the_label_or_the_rule() -> None:
    assert decided(labelled(drain="skip"))[1] == f"its label {LABEL} says skip"
    assert decided(labelled(app="job"), JOB)[1] == "the rule for app=job says so"
    assert decided(labelled(app="job"), ALL_STAY)[1] == "the rule for all pods says so"


def test_an_unknown_value_of_the_label_is_told() -> None:
    record = classify(labelled(drain="later"), "w1", Options(), set())
    assert record.decision == "evict" and "neither skip nor wait-completed" in record.warnings[0]
    assert refusal([record]) is None
