# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import output
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Line
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import plain_text

FIXTURES = Path(__file__).parent / "fixtures"


def lines(*texts: str, stream: str = "stdout") -> list[Line]:
    return [Line(float(number), stream, text) for number, text in enumerate(texts)]


def fixture(name: str) -> list[Line]:
    return lines(*(FIXTURES / name).read_text().splitlines())


def test_steps_of_a_real_run() -> None:
    found = fixture("apply-1.35.4.stdout")
    steps = output.parse_steps(found, 1000.0, 0)
    assert [step.name for step in steps] == [
        "start",
        "preflight",
        "control-plane",
        "control-plane/etcd",
        "control-plane/kube-apiserver",
        "control-plane/kube-controller-manager",
        "control-plane/kube-scheduler",
        "control-plane",
        "upload-config",
        "kubeconfig",
        "kubelet-config",
        "bootstrap-token",
        "addon",
        "post-upgrade",
    ]
    assert {step.outcome for step in steps} == {"ok"}
    assert all(step.finished is not None and step.finished >= step.started for step in steps)
    etcd = steps[3]
    assert found[int(etcd.started)].text == '[upgrade/staticpods] Preparing for "etcd" upgrade'
    assert found[int(etcd.finished or 0)].text == '[upgrade/staticpods] Preparing for "kube-apiserver" upgrade'
    scheduler = steps[6]
    assert found[int(scheduler.finished or 0)].text.endswith('Component "kube-scheduler" upgraded successfully!')
    assert output.parse_addons(found) == {"deferred": False, "waiting_for": [], "applied": ["CoreDNS", "kube-proxy"]}


def test_steps_of_a_run_that_was_ended() -> None:
    # It waited for etcd.
    found = fixture("apply-1.35.4.stdout")[:56]
    steps = output.parse_steps(found, 1000.0, None)
    assert (steps[-1].name, steps[-1].outcome, steps[-1].finished) == ("control-plane/etcd", "interrupted", 1000.0)
    assert output.failed_phase(found, steps) == "control-plane/etcd"


@pytest.mark.parametrize(
    ("texts", "rc", "expected"),
    [
        ([], 0, []),
        (["anything"], 0, []),
        (["[upgrade] Reading configuration"], 1, [("start", "failed")]),
        (
            [
                "[upgrade/preflight] Running pre-flight checks",
                "[upgrade/preflight] Skipping prepull.",
                "[upgrade/control-plane] Skipping phase. Not a control plane node.",
                "[upgrade/kubeconfig] Skipping phase. Not a control plane node.",
                "[kubelet-start] Writing kubelet configuration to file",
                "[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!",
                "[upgrade/addon] Skipping the addon/coredns phase. Not a control plane node.",
            ],
            0,
            [
                ("preflight", "ok"),
                ("control-plane", "skipped"),
                ("kubeconfig", "skipped"),
                ("kubelet-config", "ok"),
                ("addon", "skipped"),
            ],
        ),
        (
            [
                '[upgrade/staticpods] Preparing for "etcd" upgrade',
                "[upgrade/staticpods] Current and new manifests of etcd are equal, skipping upgrade",
                "[upgrade/etcd] Waiting for etcd to become available",
                '[upgrade/staticpods] Preparing for "kube-apiserver" upgrade',
            ],
            1,
            [("control-plane/etcd", "unchanged"), ("control-plane/kube-apiserver", "failed")],
        ),
    ],
)
def test_steps(texts: list[str], rc: int, expected: list[tuple[str, str]]) -> None:
    assert [(step.name, step.outcome) for step in output.parse_steps(lines(*texts), 99.0, rc)] == expected


def test_addons_deferred() -> None:
    line = "[upgrade/addon] Skipping upgrade of addons because control plane instances [cp2 cp3] have not been upgraded"
    # kubeadm says it once for CoreDNS and once for kube-proxy.
    assert output.parse_addons(lines(line, line)) == {"deferred": True, "waiting_for": ["cp2", "cp3"], "applied": []}


def test_warnings_of_a_real_run_are_no_errors() -> None:
    warnings = lines(*(FIXTURES / "apply-1.35.4.stderr").read_text().splitlines(), stream="stderr")
    assert len(warnings) > 3
    assert output.error_lines(warnings) == []
    assert output.failed_checks(warnings) == []


def test_errors() -> None:
    found = lines(
        "\t[WARNING ImagePull]: x",
        "[preflight] Some fatal errors occurred:",
        "\t[ERROR CoreDNSMigration]: configmaps is forbidden",
        "W1121 06:16:55.884245     320 health.go:134] noise",
        "[preflight] If you know what you are doing, you can make a check non-fatal",
        "error: error execution phase preflight: preflight checks failed",
        "To see the stack trace of this error execute with --v=5 or higher",
        stream="stderr",
    )
    assert output.error_lines(found) == [
        "\t[ERROR CoreDNSMigration]: configmaps is forbidden",
        "error: error execution phase preflight: preflight checks failed",
    ]
    assert output.failed_checks(found) == [{"name": "CoreDNSMigration", "message": "configmaps is forbidden"}]
    assert output.failed_phase(found, []) == "preflight"
    assert not output.rolled_back(found)


def errors_of(name: str) -> list[Line]:
    return lines(*(FIXTURES / name).read_text().splitlines(), stream="stderr")


def test_errors_of_a_verbose_run_have_no_stack_traces() -> None:
    found = errors_of("node-1.35.4-v5-checks.stderr")
    errors = output.error_lines(found)
    assert [text.split("]")[0].strip() for text in errors[:-1]] == [
        "[ERROR SystemVerification",
        "[ERROR ContainerRuntimeVersion",
    ]
    assert errors[-1] == "error: error execution phase preflight: preflight checks failed"
    assert output.failed_phase(found, []) == "preflight"


def test_errors_of_an_older_verbose_run_keep_their_causes() -> None:
    """Until 1.33 the cause comes first, and the phase last and alone."""
    found = errors_of("node-1.33.13-v5-refused.stderr")
    errors = output.error_lines(found)
    assert len(errors) == 3
    assert errors[0].endswith("connect: connection refused")
    assert errors[1:] == ["failed to get config map", "unable to fetch the kubeadm-config ConfigMap"]
    phase = lines("error execution phase control-plane", "main.main", "\tx/main.go:47", stream="stderr")
    assert output.error_lines(found + phase) == [*errors, "error execution phase control-plane"]
    assert output.failed_phase(found + phase, []) == "control-plane"


def test_unknown_flag_is_an_error_without_a_phase() -> None:
    found = lines("error: unknown flag: --nope", stream="stderr")
    assert output.error_lines(found) == ["error: unknown flag: --nope"]
    assert output.failed_phase(found, []) == ""


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"\x1b[0;37mOS\x1b[0m: \x1b[0;32mLinux\x1b[0m", "OS: Linux"), (b"a\r", "a"), (b"\xff", "\ufffd"), (b"", "")],
)
def test_plain_text(raw: bytes, text: str) -> None:
    assert plain_text(raw) == text
