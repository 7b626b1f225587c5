# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What kubeadm's output says: steps, addons, errors.

kubeadm has no structured log of an upgrade. Its lines begin with a phase in
brackets; a line that is not known here changes nothing but stays in the
result's lines.
"""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict, Line, Step

_PREFIX = re.compile(r"^\[(?P<prefix>[a-z0-9/-]+)\]\s*(?P<text>.*)$")
_PREPARING = re.compile(r'Preparing for "(?P<component>[^"]+)" upgrade')
_UPGRADED = re.compile(r'Component "(?P<component>[^"]+)" upgraded successfully!')
_EQUAL = re.compile(r"Current and new manifests of (?P<component>\S+) are equal, skipping upgrade")
_ADDONS_DEFERRED = re.compile(
    r"Skipping upgrade of addons because control plane instances \[(?P<names>[^\]]*)\] have not been upgraded"
)
_ADDON_APPLIED = re.compile(r"^\[addons\] Applied essential addon: (?P<name>\S+)")
# Until 1.33 kubeadm with --v=5 writes each cause with its stack trace, the phase last and alone on its line.
_ERROR_PHASE = re.compile(r"error execution phase (?P<phase>[a-z0-9/-]+)(?P<alone>: |$)")
_CHECK = re.compile(r"^\s*\[ERROR (?P<name>[^\]]+)\]: (?P<text>.*)$")
_KLOG_NOISE = re.compile(r"^[IW]\d{4} ")
_TRACE_PLACE = re.compile(r"^\t\S+\.(?:go|s):\d+$")
_STACK_TRACE = "To see the stack trace of this error execute with --v=5 or higher"
ROLLED_BACK = "kubeadm has tried to recover everything into the earlier state"
RESTORED_ETCD = "Rolling back etcd data"

# Prefixes that name a phase of `kubeadm upgrade apply` and `node`; others belong to the phase they appear in.
_PHASES = {
    "preflight": "preflight",
    "upgrade/preflight": "preflight",
    "upgrade/control-plane": "control-plane",
    "upgrade/staticpods": "control-plane",
    "upgrade/upload-config": "upload-config",
    "upload-config": "upload-config",
    "kubelet": "upload-config",
    "upgrade/kubeconfig": "kubeconfig",
    "upgrade/kubelet-config": "kubelet-config",
    "kubelet-start": "kubelet-config",
    "upgrade/bootstrap-token": "bootstrap-token",
    "bootstrap-token": "bootstrap-token",
    "upgrade/addon": "addon",
    "addons": "addon",
    "upgrade/post-upgrade": "post-upgrade",
    "upgrade/successful": "finish",
    "renew": "certificates",
}
_TEXTS = (
    ("upgrade", "Backing up kubelet config file", "kubelet-config"),
    ("upgrade", "Backing up kubelet env file", "post-upgrade"),
    ("kubelet-start", "Writing kubelet environment file", "post-upgrade"),
    ("upgrade", "SUCCESS!", "finish"),
)


def parse_steps(lines: list[Line], ended: float | None = None, rc: int | None = None) -> list[Step]:
    """Steps in the order in which they began.

    Their names are kubeadm's phases; the control plane has one for each
    component, ``control-plane/etcd``. `ended` is when kubeadm ended, seconds
    since the epoch; with it the last step is closed, as ``ok`` for an `rc` of
    0, ``interrupted`` for None (killed, or not seen) and ``failed`` else.
    """
    steps: list[Step] = []
    for line in lines:
        if line.stream != "stdout":
            continue
        found = _PREFIX.match(line.text)
        if not found:
            continue
        current = steps[-1] if steps else None
        name = _step_name(found["prefix"], found["text"], current)
        if name and (current is None or current.name != name):
            _close(current, line.at, "ok")
            current = Step(name=name, started=line.at)
            steps.append(current)
        if current:
            _outcome(current, found["text"], line.at)
    steps = [step for step in steps if step.name != "finish"]
    if steps and ended is not None:
        _close(steps[-1], ended, {0: "ok", None: "interrupted"}.get(rc, "failed"))
    return steps


def _step_name(prefix: str, text: str, current: Step | None) -> str:
    preparing = _PREPARING.search(text)
    if preparing:
        return f"control-plane/{preparing['component']}"
    if prefix == "upgrade/etcd":
        return "control-plane/etcd"
    for of_prefix, start, name in _TEXTS:
        if prefix == of_prefix and text.startswith(start):
            return name
    name = _PHASES.get(prefix, "")
    if name == "control-plane" and current and current.name.startswith("control-plane/"):
        # A line about a component belongs to it until the component is finished.
        return current.name if current.finished is None else name
    if not name and current is None:
        return "start"
    return name


def _outcome(step: Step, text: str, at: float) -> None:
    upgraded, equal = _UPGRADED.search(text), _EQUAL.search(text)
    if upgraded and step.name.endswith(upgraded["component"]):
        # etcd is waited for once more after this line, so only the others end with it.
        if step.name != "control-plane/etcd":
            _close(step, at, "ok")
    elif equal and step.name.endswith(equal["component"]):
        _close(step, at, "unchanged")
    elif text.startswith(("Skipping phase.", "Skipping upgrade of addons", "Skipping the addon")):
        step.outcome = "skipped"


def _close(step: Step | None, at: float, outcome: str) -> None:
    if step is not None and step.finished is None:
        step.finished = at
        if step.outcome == "running" or outcome in ("failed", "interrupted"):
            step.outcome = outcome


def parse_addons(lines: list[Line]) -> JsonDict:
    """``{deferred, waiting_for, applied}``.

    kubeadm upgrades CoreDNS and kube-proxy only with the last control-plane
    node, exits with 0 on the others and names those that it waits for.
    """
    waiting: list[str] = []
    applied: list[str] = []
    for line in lines:
        deferred, done = _ADDONS_DEFERRED.search(line.text), _ADDON_APPLIED.match(line.text)
        if deferred:
            waiting += [name for name in deferred["names"].split() if name not in waiting]
        if done and done["name"] not in applied:
            applied.append(done["name"])
    return {"deferred": bool(waiting), "waiting_for": waiting, "applied": applied}


def failed_checks(lines: list[Line]) -> list[dict[str, str]]:
    """Preflight checks that failed, as ``[{name, message}]``."""
    found: list[dict[str, str]] = []
    for line in lines:
        check = _CHECK.match(line.text)
        if check:
            found.append({"name": check["name"], "message": check["text"]})
    return found


def error_lines(lines: list[Line]) -> list[str]:
    """kubeadm's own words about its failure, without log noise, stack traces and the hint about them."""
    errors = _without_traces([line.text.rstrip() for line in lines if line.stream == "stderr"])
    errors = [
        text
        for text in errors
        if text.strip() and text != _STACK_TRACE and not _KLOG_NOISE.match(text) and "[WARNING " not in text
    ]
    # kubeadm says the error once, at its end; what it prints before are checks and usage.
    for position, text in enumerate(errors):
        phase = _ERROR_PHASE.search(text)
        if phase and not phase["alone"]:
            return errors
        if phase or text.startswith("error: "):
            checks = [line for line in errors[:position] if _CHECK.match(line)]
            return checks + errors[position:]
    return errors


def _without_traces(texts: list[str]) -> list[str]:
    """`texts` without Go's stack traces: a function on one line, its place on the next."""
    places = {number for number, text in enumerate(texts) if _TRACE_PLACE.match(text)}
    return [text for number, text in enumerate(texts) if number not in places and number + 1 not in places]


def failed_phase(lines: list[Line], steps: list[Step]) -> str:
    """Where it failed: the component where there is one, else the phase that kubeadm names, else the last step."""
    named = ""
    for line in lines:
        found = _ERROR_PHASE.search(line.text)
        if found:
            named = found["phase"]
    last = steps[-1].name if steps else ""
    return last if not named or last.startswith(f"{named}/") else named


def rolled_back(lines: list[Line]) -> bool:
    """Whether kubeadm says that it put the earlier manifests back."""
    return any(ROLLED_BACK in line.text for line in lines)
