# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lines name the cause of a failure, and which do not."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.telling import (
    MOST_LINES,
    Source,
    Told,
    component_in,
    moment,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.telling import (
    telling as telling_of,
)

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
JUST = "2026-01-31T11:59:30+0000 cp1 kubelet[712]: "
EARLIER = "2026-01-31T11:40:00+0000 cp1 kubelet[712]: "
LOG = "2026-01-31T11:59:30.123456789Z stderr F "
OLD_LOG = "2026-01-31T11:40:00.123456789Z stderr F "
REFUSED = 'dial tcp 127.0.0.1:2379: connect: connection refused"'
API_POD = "pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-3.log"


def telling(
    sources: t.Sequence[tuple[str, str]], now: datetime, component: str = "", since: datetime | None = None
) -> list[Told]:
    return telling_of([Source(*source) for source in sources], now, component, since)


CAUSES = {
    "a full disk in the kubelet's log": (
        "kubelet.log",
        EARLIER + 'E0131 11:40:00.1 712 kubelet.go:1] "failed" err="mkdir /var/lib/x: no space left on device"',
        "disk_full",
    ),
    "a full disk now": ("disk.txt", "/var: 3 of 20000 MiB free, 9 of 900 inodes free (space used up)", "disk_full"),
    "inodes that are used up": (
        "disk.txt",
        "/: 300 of 900 MiB free, 0 of 900 inodes free (inodes used up)",
        "disk_full",
    ),
    "a flag that the new version does not know": (API_POD, OLD_LOG + "Error: unknown flag: --bad-flag", "unknown_flag"),
    "a flag that etcd does not know": (
        "pod-etcd-cp1-0a1b2c3d-etcd-1.log",
        LOG + "flag provided but not defined: -bad-flag",
        "unknown_flag",
    ),
    "a value that a flag does not take": (
        API_POD,
        LOG + 'Error: invalid argument "Bogus=true" for "--feature-gates" flag: unrecognized feature gate: Bogus',
        "unknown_flag",
    ),
    "an image of the control plane": (
        "kubelet.log",
        EARLIER + 'E0131 pod_workers.go:1] "Error syncing pod, skipping" err="failed to \\"StartContainer\\" for '
        '\\"kube-apiserver\\" with ImagePullBackOff" pod="kube-system/kube-apiserver-cp1"',
        "image_pull",
    ),
    "an image in kubeadm's own check": (
        "kubeadm-upgrade.stderr",
        "\t[ERROR ImagePull]: failed to pull image registry.k8s.io/etcd:3.6.5-0: not found",
        "image_pull",
    ),
    "another check of kubeadm": ("kubeadm-upgrade.stderr", "\t[ERROR CoreDNSMigration]: not migrated", "preflight"),
    "a certificate": (API_POD, LOG + "x509: certificate has expired or is not yet valid", "certificate"),
    "a port": (API_POD, LOG + "listen tcp 0.0.0.0:6443: bind: address already in use", "port_in_use"),
    "the kernel ends it": (
        "kernel.log",
        "2026-01-31T11:50:00+0000 cp1 kernel: Out of memory: Killed process 1",
        "out_of_memory",
    ),
    "a configuration of the kubelet": (
        "kubelet.log",
        EARLIER + 'E0131 run.go:72] "command failed" err="failed to load kubelet config file, path: /var/lib/x"',
        "bad_configuration",
    ),
    "etcd cannot be reached now": (API_POD, LOG + "W0131 grpc.go:1] " + REFUSED, "etcd_unreachable"),
    "etcd says so itself": ("etcd.txt", "2026-01-31T11:59:59.000Z NOT OK: member cp1: no answer", "etcd_unreachable"),
    "etcd is full": (API_POD, OLD_LOG + "etcdserver: mvcc: database space exceeded", "etcd_storage"),
    "the runtime is down now": ("kubelet.log", JUST + '"Container runtime network not ready"', "runtime_down"),
    "the network plugin": ("kubelet.log", JUST + "cni plugin not initialized", "network_plugin"),
    "a component that does not stay up": (
        "kubelet.log",
        JUST + 'CrashLoopBackOff: "back-off 20s" pod="kube-system/kube-scheduler-cp1"',
        "crash_loop",
    ),
    "a panic": (API_POD, LOG + "panic: runtime error: index out of range", "panic"),
}


@pytest.mark.parametrize(("source", "line", "kind"), CAUSES.values(), ids=CAUSES)
def test_a_line_names_its_cause(source: str, line: str, kind: str) -> None:
    noise = EARLIER + "I0131 all is well"
    found = telling([("machine.txt", "load 1"), (source, f"{noise}\n{line}\n{noise}\n")], NOW)
    assert [(told.kind, told.source) for told in found] == [(kind, source)]
    assert found[0].line and found[0].line in line


NO_CAUSE = {
    "a restart that is over": (API_POD, OLD_LOG + "W0131 grpc.go:1] " + REFUSED),
    "a passing cause without a time": ("services.txt", REFUSED),
    "an image of a user": ("kubelet.log", JUST + 'Failed to pull image "shop.example/cart:1" pod="shop/cart-1"'),
    "an error without a component": ("kubelet.log", JUST + "E0131 11:59:30.1 712 x.go:1] something"),
    "a healthy disk": ("disk.txt", "/var: 300 of 20000 MiB free, 9 of 900 inodes free"),
    "a healthy etcd": ("etcd.txt", "2026-01-31T11:59:59.000Z ok: member cp1: leads"),
}


@pytest.mark.parametrize(("source", "line"), NO_CAUSE.values(), ids=NO_CAUSE)
def test_a_line_that_names_no_cause(source: str, line: str) -> None:
    assert telling([(source, line)], NOW) == []


def test_what_passes_is_not_named_beside_what_does_not() -> None:
    sources = [
        (API_POD, LOG + REFUSED),
        ("kubelet.log", f"{EARLIER}first: no space left on device\n{EARLIER}last: no space left on device\n"),
        ("kubeadm-upgrade.stderr", "[ERROR Something]: else"),
    ]
    found = telling(sources, NOW)
    assert [told.kind for told in found] == ["disk_full", "preflight"]
    assert found[0].line == "last: no space left on device"
    assert found[0].at == "2026-01-31T11:40:00Z"


def test_the_component_that_failed_comes_first() -> None:
    sources = [("pod-etcd-cp1-1.log", LOG + "x509: of etcd"), (API_POD, LOG + "x509: of the API server")]
    assert telling(sources, NOW)[0].line == "x509: of etcd"
    assert telling(sources, NOW, "kube-apiserver")[0].line == "x509: of the API server"


def test_without_a_cause_the_component_has_the_last_word() -> None:
    said = ("E0131 11:59:01.000001       1 x.go:1] one", "E0131 11:59:02.000001       1 x.go:1] two", "I0131 three")
    log = "".join(f"{LOG}{line}\n" for line in said)
    (told,) = telling([("kubelet.log", log), (API_POD, log)], NOW, "kube-apiserver")
    assert (told.kind, told.source) == ("error", API_POD)
    assert told.line.endswith("two")
    old = log.replace("T11:59", "T11:20")
    assert telling([(API_POD, old)], NOW, "kube-apiserver") == []


def test_no_more_than_a_few_lines_of_bounded_length() -> None:
    text = "\n".join(
        ["no space left on device " + "x" * 5000, "read-only file system", "OOMKilled", "unknown flag: --a", "x509: b"]
    )
    found = telling([("kubelet.log", text)], NOW)
    assert len(found) == MOST_LINES
    assert all(len(told.line) < 500 for told in found)


@pytest.mark.parametrize(
    ("message", "component"),
    [
        ("kube-apiserver of cp1 is not ready", "kube-apiserver"),
        ("The kubelet of worker1 is at v1.34.4.", "kubelet"),
        ("etcd was not healthy within 600 s", "etcd"),
        ("1 pod is left: shop/cart.", ""),
        ("kubelets differ", ""),
    ],
)
def test_component_in(message: str, component: str) -> None:
    assert component_in(message) == component


SINCE = NOW - timedelta(minutes=10)
EAST = timezone(timedelta(hours=5, minutes=30))
FULL = "no space left on device"
BEFORE_OR_SINCE: dict[str, tuple[str, str, str]] = {
    # What: the source, its line before the turn began, and the one after.
    "journalctl": (
        "kubelet.log",
        f"2026-01-31T11:49:59+0000 cp1 kubelet[712]: {FULL}",
        f"2026-01-31T11:50:00+0000 cp1 kubelet[712]: {FULL}",
    ),
    "journalctl in the zone of the node": (
        "kubelet.log",
        f"2026-01-31T17:19:59+0530 cp1 kubelet[712]: {FULL}",
        f"2026-01-31T17:20:01+0530 cp1 kubelet[712]: {FULL}",
    ),
    "klog in journalctl, whose own time counts": (
        "kubelet.log",
        f"2026-01-31T11:40:00+0000 cp1 kubelet[712]: E0131 17:55:00.000001     712 x.go:1] {FULL}",
        f"2026-01-31T11:55:00+0000 cp1 kubelet[712]: E0131 17:10:00.000001     712 x.go:1] {FULL}",
    ),
    "the log of a container": (
        API_POD,
        f"2026-01-31T11:49:59.999999999Z stderr F {FULL}",
        f"2026-01-31T11:50:00.000000001Z stderr F {FULL}",
    ),
    "the log of a container in the zone of the node": (
        API_POD,
        f"2026-01-31T17:19:59.999999999+05:30 stderr F {FULL}",
        f"2026-01-31T17:20:00.000000001+05:30 stderr F {FULL}",
    ),
    "Docker's log of a container": (
        API_POD,
        f'{{"log":"{FULL}\\n","stream":"stderr","time":"2026-01-31T11:49:59.9Z"}}',
        f'{{"log":"{FULL}\\n","stream":"stderr","time":"2026-01-31T11:50:00.1Z"}}',
    ),
    "klog alone, in the zone of the node": (
        "kubeadm-upgrade.stderr",
        f"E0131 17:19:59.999999    4712 x.go:1] {FULL}",
        f"E0131 17:20:00.000001    4712 x.go:1] {FULL}",
    ),
    "a line that goes on": (
        "kubelet.log",
        f"2026-01-31T11:40:00+0000 cp1 kubelet[712]: failed:\n    {FULL}",
        f"2026-01-31T11:55:00+0000 cp1 kubelet[712]: failed:\n    {FULL}",
    ),
    "what kubeadm prints between the lines of its log": (
        "kubeadm-upgrade.stderr",
        f"W0131 17:10:00.000001    4712 x.go:1] x\n[ERROR Disk]: {FULL}",
        f"W0131 17:25:00.000001    4712 x.go:1] x\n[ERROR Disk]: {FULL}",
    ),
}


@pytest.mark.parametrize(("source", "before", "after"), BEFORE_OR_SINCE.values(), ids=BEFORE_OR_SINCE)
def test_what_was_said_before_the_turn_names_no_cause(source: str, before: str, after: str) -> None:
    now = NOW.astimezone(EAST)
    found = telling([(source, f"{before}\n")], now, since=SINCE)
    assert found == []
    found = telling([(source, f"{before}\n{after}\n")], now, since=SINCE)
    assert [told.kind for told in found] == ["disk_full"]
    # Without a beginning all of it counts.
    assert telling([(source, f"{before}\n")], now)


@pytest.mark.parametrize(
    ("written", "counts"),
    [(None, True), (NOW - timedelta(minutes=11), False), (NOW - timedelta(minutes=9), True)],
    ids=["asked just now", "written before", "written since"],
)
def test_a_line_without_any_time_is_as_old_as_its_file(written: datetime | None, counts: bool) -> None:
    found = telling_of([Source("kubeadm-upgrade.stderr", f"[ERROR Disk]: {FULL}\n", written)], NOW, "", SINCE)
    assert bool(found) == counts


def test_the_last_error_of_a_component_is_of_the_turn_as_well() -> None:
    log = f"{LOG}E0131 11:59:01.000001       1 x.go:1] one\n"
    assert telling([(API_POD, log)], NOW, "kube-apiserver", NOW - timedelta(minutes=1))
    assert telling([(API_POD, log)], NOW, "kube-apiserver", NOW - timedelta(seconds=20)) == []


def test_moment() -> None:
    assert moment(LOG, NOW) == moment("2026-01-31T11:59:30Z", NOW) == moment("2026-01-31T12:59:30+0100 x", NOW)
    assert moment("2026-01-31T11:59:30-05:30", NOW) == NOW + timedelta(hours=5, minutes=29, seconds=30)
    assert moment("E0131 11:59:30.1 1 x.go:1] x", NOW) == NOW - timedelta(seconds=30)
    assert moment("E0131 17:29:30.1 1 x.go:1] x", NOW.astimezone(EAST)) == NOW - timedelta(seconds=30)
    assert moment("I1231 23:00:00.1 1 x.go:1] x", NOW) == datetime(2025, 12, 31, 23, tzinfo=timezone.utc)
    assert moment("I0229 23:00:00.1 1 x.go:1] x", NOW) is None
    assert moment("E0131 11:59", NOW) is None
    assert moment("2026-99-31T11:59:30Z", NOW) is None
