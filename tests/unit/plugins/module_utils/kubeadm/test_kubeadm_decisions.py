# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import parse_mirror_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.decisions import UpgradeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    Evidence,
    Line,
    MirrorPod,
    Options,
    Ran,
    Step,
)

OLD = {
    "etcd": "3.6.5-0",
    "kube-apiserver": "v1.34.4",
    "kube-controller-manager": "v1.34.4",
    "kube-scheduler": "v1.34.4",
}
NEW = {
    "etcd": "3.6.6-0",
    "kube-apiserver": "v1.35.4",
    "kube-controller-manager": "v1.35.4",
    "kube-scheduler": "v1.35.4",
}


def pods(tags: dict[str, str], **not_ready: bool) -> dict[str, MirrorPod]:
    return {name: MirrorPod(name, tag, not_ready.get(name.replace("-", "_"), True)) for name, tag in tags.items()}


def evidence(tags: dict[str, str] | None = None, **changes: t.Any) -> Evidence:
    tags = NEW if tags is None else tags
    values: dict[str, t.Any] = {
        "control_plane": True,
        "manifest_tags": tags,
        "expected_etcd_tag": "3.6.6-0",
        "api_server": "192.0.2.11:6443",
        "api_server_version": tags["kube-apiserver"],
        "api_server_ready": True,
        "mirror_pods": pods(tags),
        "cluster_version": "v1.35.4",
    }
    return Evidence(**{**values, **changes})


def options(role: str = "control_plane", **changes: t.Any) -> Options:
    return Options(target="v1.35.4", role=role, **changes)


FIRST = options("first_control_plane")
OTHER = options()
CASES: dict[str, tuple[Evidence, Options, list[str]]] = {
    "done": (evidence(), OTHER, []),
    "done on the first": (evidence(), FIRST, []),
    "not begun": (
        evidence(OLD),
        OTHER,
        ["kube-apiserver has v1.34.4", "kube-controller-manager", "kube-scheduler", "etcd has 3.6.5-0", "is v1.34.4"],
    ),
    "only etcd done": (
        evidence({**OLD, "etcd": "3.6.6-0"}),
        OTHER,
        ["kube-apiserver has v1.34.4", "kube-controller-manager", "kube-scheduler", "is v1.34.4"],
    ),
    "one manifest left": (
        evidence({**NEW, "kube-scheduler": "v1.34.4"}),
        OTHER,
        ["the manifest of kube-scheduler has v1.34.4, not v1.35.4"],
    ),
    "the process is still the old one": (
        evidence(api_server_version="v1.34.4"),
        OTHER,
        ["the API server at 192.0.2.11:6443 is v1.34.4, not v1.35.4"],
    ),
    "the pod is still the old one": (
        evidence(mirror_pods=pods({**NEW, "etcd": "3.6.5-0"})),
        OTHER,
        ["pod etcd still is 3.6.5-0, its manifest 3.6.6-0"],
    ),
    "a pod is not Ready": (
        evidence(mirror_pods=pods(NEW, kube_scheduler=False)),
        OTHER,
        ["pod kube-scheduler is not Ready"],
    ),
    "a pod is missing": (
        evidence(mirror_pods={name: pod for name, pod in pods(NEW).items() if name != "etcd"}),
        OTHER,
        ["pod etcd is not there"],
    ),
    "no answer": (
        evidence(api_server_error="refused", mirror_pods=None),
        OTHER,
        ["does not answer: refused", "could not be read"],
    ),
    "not ready": (evidence(api_server_ready=False), OTHER, ["is not ready"]),
    "the configuration was not uploaded": (
        evidence(cluster_version="v1.34.4"),
        FIRST,
        ["kubernetesVersion in kubeadm-config is v1.34.4, not v1.35.4"],
    ),
    "the configuration is not this node's": (evidence(cluster_version="v1.34.4"), OTHER, []),
    "upload skipped by the user": (
        evidence(cluster_version="v1.34.4"),
        options("first_control_plane", skip_phases=("upload-config",)),
        [],
    ),
    "control plane skipped by the user": (evidence(OLD), options(skip_phases=("control-plane",)), []),
    "an earlier run did not succeed": (evidence(interrupted="v1.35.4"), OTHER, ["did not succeed"]),
    "an earlier run to another version": (evidence(interrupted="v1.34.5"), OTHER, []),
    "external etcd": (
        evidence({name: tag for name, tag in NEW.items() if name != "etcd"}, expected_etcd_tag=""),
        OTHER,
        [],
    ),
    "etcd not to be upgraded": (
        evidence({**NEW, "etcd": "3.6.5-0"}),
        options(etcd_upgrade=False),
        [],
    ),
    "etcd newer than kubeadm's": (evidence({**NEW, "etcd": "3.6.12-0"}), OTHER, []),
    "etcd of the user's own name": (evidence({**NEW, "etcd": "own"}), OTHER, ["etcd has own"]),
    "the target is of another build": (evidence({**NEW, "kube-scheduler": "v1.35.40"}), OTHER, ["kube-scheduler"]),
    "worker with an old kubelet": (
        Evidence(control_plane=False, kubelet_running_version="1.34.4"),
        options("worker"),
        ["kubelet runs 1.34.4, not v1.35.4"],
    ),
    "worker that is done": (Evidence(control_plane=False, kubelet_running_version="1.35.4"), options("worker"), []),
    "worker without a kubelet": (Evidence(control_plane=False), options("worker"), ["kubelet runs not"]),
    "worker whose run was cut off": (
        Evidence(control_plane=False, kubelet_running_version="1.35.4", interrupted="v1.35.4"),
        options("worker"),
        ["did not succeed"],
    ),
}


@pytest.mark.parametrize(("seen", "asked", "expected"), CASES.values(), ids=CASES.keys())
def test_judge(seen: Evidence, asked: Options, expected: list[str]) -> None:
    missing = decisions.judge(seen, asked)
    assert len(missing) == len(expected), missing
    for sentence, part in zip(missing, expected):
        assert part in sentence


@pytest.mark.parametrize(
    ("seen", "lags"),
    [
        (evidence(), False),
        (evidence(OLD), False),
        (evidence(api_server_version="v1.34.4"), True),
        (evidence(api_server_error="refused", mirror_pods=None), True),
        (evidence(cluster_version="v1.34.4"), False),
        (Evidence(control_plane=False), False),
    ],
)
def test_processes_lag(seen: Evidence, lags: bool) -> None:
    assert decisions.processes_lag(seen, FIRST) is lags


@pytest.mark.parametrize(
    ("asked", "control_plane", "missing", "role"),
    [
        ("auto", False, [], "worker"),
        ("worker", False, [], "worker"),
        ("auto", True, [], "control_plane"),
        ("control_plane", True, [], "control_plane"),
        ("first_control_plane", True, [], "first_control_plane"),
    ],
)
def test_role(asked: str, control_plane: bool, missing: list[str], role: str) -> None:
    assert decisions.resolve_role(asked, control_plane, missing, "n1") == role


@pytest.mark.parametrize(
    ("asked", "control_plane", "missing", "message", "hint"),
    [
        ("control_plane", False, [], "n1 is to be upgraded as control_plane, but", "group"),
        ("first_control_plane", False, [], "no admin.conf", "group"),
        ("worker", True, [], "kubeadm made it a control-plane node", "first_control_plane"),
        ("auto", True, ["kube-apiserver.yaml"], "kube-apiserver.yaml is missing", "kubeadm-backup-manifests"),
    ],
)
def test_wrong_role(asked: str, control_plane: bool, missing: list[str], message: str, hint: str) -> None:
    with pytest.raises(UpgradeError) as caught:
        decisions.resolve_role(asked, control_plane, missing, "n1")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("installed", ["", "1.34.4", "1.35.3", "1.36.0", "1.35.4-rc.0"])
def test_wrong_kubeadm(installed: str) -> None:
    with pytest.raises(UpgradeError, match=r"needs kubeadm v1\.35\.4\."):
        decisions.check_kubeadm(installed, OTHER, "n1")


def test_right_kubeadm() -> None:
    decisions.check_kubeadm("1.35.4", OTHER, "n1")


@pytest.mark.parametrize(
    ("role", "version", "fails"),
    [
        ("control_plane", "v1.34.4", True),
        ("worker", "v1.34.4", True),
        ("worker", "v1.35.4", False),
        ("worker", "", False),
        ("first_control_plane", "v1.34.4", False),
    ],
)
def test_cluster_version(role: str, version: str, fails: bool) -> None:
    seen = Evidence(control_plane=role != "worker", cluster_version=version)
    if fails:
        with pytest.raises(UpgradeError, match=r"would bring n1 to that version and not to v1\.35\.4"):
            decisions.check_cluster_version(seen, options(role), "n1")
    else:
        decisions.check_cluster_version(seen, options(role), "n1")


@pytest.mark.parametrize("name", ["all", "ALL", " all "])
def test_all_is_refused(name: str) -> None:
    with pytest.raises(UpgradeError, match="is refused"):
        decisions.check_options(options(ignore_preflight_errors=("CreateJob", name)))


@pytest.mark.parametrize(("verbosity", "fails"), [(-1, True), (0, False), (10, False), (11, True)])
def test_verbosity(verbosity: int, fails: bool) -> None:
    if fails:
        with pytest.raises(UpgradeError, match=f"verbosity {verbosity} is no level"):
            decisions.check_options(options(verbosity=verbosity))
    else:
        decisions.check_options(options(verbosity=verbosity))


ALL: dict[str, t.Any] = {
    "ignore_preflight_errors": ("CreateJob", "ImagePull"),
    "skip_phases": ("addon/coredns",),
    "patches": "/p",
    "certificate_renewal": False,
    "etcd_upgrade": False,
    "kubeconfig": "/k",
    "verbosity": 10,
}
ALL_FLAGS = [
    "--kubeconfig=/k",
    "--ignore-preflight-errors=CreateJob,ImagePull",
    "--patches=/p",
    "--certificate-renewal=false",
    "--etcd-upgrade=false",
    "--skip-phases=addon/coredns",
    "--v=10",
]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (FIRST, ["kubeadm", "upgrade", "apply", "v1.35.4", "--yes"]),
        (OTHER, ["kubeadm", "upgrade", "node"]),
        (options("worker"), ["kubeadm", "upgrade", "node"]),
        (options("first_control_plane", **ALL), ["kubeadm", "upgrade", "apply", "v1.35.4", "--yes", *ALL_FLAGS]),
        (options("worker", **ALL), ["kubeadm", "upgrade", "node", *ALL_FLAGS]),
        (
            Options(target="v1.36.0-rc.1", role="first_control_plane"),
            ["kubeadm", "upgrade", "apply", "v1.36.0-rc.1", "--yes", "--allow-release-candidate-upgrades"],
        ),
    ],
)
def test_argv(asked: Options, expected: list[str]) -> None:
    assert decisions.argv("kubeadm", asked) == expected


def test_read_only_argv() -> None:
    assert decisions.plan_argv("kubeadm", FIRST) == ["kubeadm", "upgrade", "plan", "v1.35.4", "-o", "json"]
    assert decisions.plan_argv("kubeadm", options(**ALL))[6:] == [ALL_FLAGS[0], ALL_FLAGS[1], ALL_FLAGS[4]]
    assert decisions.diff_argv("kubeadm", options(**ALL)) == ["kubeadm", "upgrade", "diff", "v1.35.4", ALL_FLAGS[0]]


def test_bypasses() -> None:
    assert decisions.bypasses(FIRST) == []
    assert [bypass["option"] for bypass in decisions.bypasses(options(**ALL))] == [
        "ignore_preflight_errors",
        "skip_phases",
        "etcd_upgrade",
        "certificate_renewal",
    ]


@pytest.mark.parametrize(
    ("seen", "asked", "etcd"),
    [
        (evidence(OLD), FIRST, ("3.6.5-0", "3.6.6-0")),
        (evidence(OLD, expected_etcd_tag=""), FIRST, ("3.6.5-0", "3.6.5-0")),
        (evidence(OLD), options(etcd_upgrade=False), ("3.6.5-0", "3.6.5-0")),
        (evidence({**OLD, "etcd": "3.6.12-0"}), FIRST, ("3.6.12-0", "3.6.12-0")),
    ],
)
def test_components(seen: Evidence, asked: Options, etcd: tuple[str, str]) -> None:
    found = decisions.components(seen, asked)
    assert [component["name"] for component in found][:2] == ["etcd", "kube-apiserver"]
    assert (found[0]["from"], found[0]["to"]) == etcd
    assert found[1] == {"name": "kube-apiserver", "from": "v1.34.4", "to": "v1.35.4"}


def ran(rc: int | None, *stderr: str, timed_out: bool = False) -> Ran:
    lines = [Line(1.0, "stdout", "[upgrade/staticpods] This can take up to 5m0s")]
    lines += [Line(2.0, "stderr", text) for text in stderr]
    return Ran(["/usr/bin/kubeadm", "upgrade", "node"], rc, lines, timed_out=timed_out)


ROLLBACK = (
    "error: error execution phase control-plane: couldn't complete the static pod upgrade: couldn't upgrade control "
    "plane. kubeadm has tried to recover everything into the earlier state. Errors faced: timed out"
)


@pytest.mark.parametrize(
    ("run", "step", "message", "hint"),
    [
        (
            ran(
                1,
                "[preflight] Some fatal errors occurred:",
                "\t[ERROR CreateJob]: no",
                "error: error execution phase preflight: preflight checks failed",
            ),
            "preflight",
            "on n1 failed in phase preflight (exit code 1): \t[ERROR CreateJob]: no | error: error",
            "Nothing was changed. Cure what the checks name",
        ),
        (
            ran(1, ROLLBACK, "To see the stack trace of this error execute with --v=5 or higher"),
            "control-plane/kube-apiserver",
            "failed in phase control-plane/kube-apiserver",
            "its log, which is kept in /var/lib/evergreen-kubeadm/pod-logs where it wrote one",
        ),
        (
            ran(1, ROLLBACK),
            "control-plane/etcd",
            "kubeadm put the earlier manifests back.",
            "its log, which is kept in",
        ),
        (
            ran(1, "error: error execution phase control-plane: etcd cluster is not healthy"),
            "control-plane/etcd",
            "etcd cluster is not healthy",
            "etcdctl endpoint health",
        ),
        (
            ran(None, timed_out=True),
            "control-plane/etcd",
            "was ended in phase control-plane/etcd: it had not finished after 60 s. Its last lines: [upgrade/static",
            "what is done is not done twice",
        ),
        (ran(None), "addon", "its exit code was not seen", "journalctl"),
    ],
)
def test_failure(run: Ran, step: str, message: str, hint: str) -> None:
    said, next_step = decisions.failure(run, [Step(step, 1.0)], "n1", 60.2)
    assert message in said
    assert hint in next_step


def test_a_kubeadm_of_an_earlier_task_is_named_when_it_is_ended() -> None:
    run = Ran(
        ["/usr/bin/kubeadm", "upgrade", "node"], None, [], timed_out=True, attached=True, pid=4712, started=1769860800.0
    )
    message, _hint = decisions.failure(run, [], "n1", 1800.0)
    assert message.startswith(
        "kubeadm upgrade node on n1, started by an earlier task (process 4712, since 2026-01-31T12:00:00.000Z), was "
        "ended: it had not finished after 1800 s."
    )


TASK = {"pid": 4711, "started": 1769860790.0}
KUBEADM = {"pid": 4712, "started": 1769860800.0}


@pytest.mark.parametrize(
    ("holder", "kubeadm", "message", "hint"),
    [
        (
            TASK,
            KUBEADM,
            "Another task (process 4711, since 2026-01-31T11:59:50.000Z) is still at work on n1: it had not ended",
            "ps -fp 4711,4712",
        ),
        (TASK, KUBEADM, "60 s. kubeadm (process 4712, since 2026-01-31T12:00:00.000Z) runs.", "it is waited for"),
        (TASK, {}, "after 60 s.", "end it with kill 4711 before"),
        ({"pid": 4711}, {}, "Another task (process 4711) is still", "ps -fp 4711 "),
        ({}, KUBEADM, "Another task is still at work on n1", "ps -fp 4712 "),
        ({}, {}, "Another task is still at work on n1", "fuser -v /var/lib/evergreen-kubeadm/kubeadm-upgrade.lock"),
    ],
)
def test_busy(holder: dict[str, t.Any], kubeadm: dict[str, t.Any], message: str, hint: str) -> None:
    said, next_step = decisions.busy(holder, kubeadm, "n1", 60.2)
    assert message in said
    assert hint in next_step
    assert ("with kill" in next_step) == bool(holder)


def test_mirror_pods() -> None:
    def pod(component: str, image: str, ready: str = "True", **metadata: t.Any) -> dict[str, t.Any]:
        annotations = {"kubernetes.io/config.mirror": "x"}
        return {
            "metadata": {"labels": {"component": component}, "annotations": annotations, **metadata},
            "spec": {"containers": [{"name": "side", "image": "s:1"}, {"name": component, "image": image}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    found = parse_mirror_pods(
        {
            "items": [
                pod("etcd", "r/etcd:3.6.6-0"),
                pod("kube-apiserver", "r/a:v1.35.4", "False"),
                pod("kube-scheduler", "r/s:v1.35.4", deletionTimestamp="now"),
                pod("kube-controller-manager", "r/c:v1", annotations={}),
            ]
        }
    )
    assert found == {
        "etcd": MirrorPod("etcd", "3.6.6-0", True),
        "kube-apiserver": MirrorPod("kube-apiserver", "v1.35.4", False),
        "kube-scheduler": MirrorPod("kube-scheduler", "v1.35.4", False),
    }


WORD = "hunter" + "2x"


def test_a_diff_of_manifests_has_what_changes_and_no_secrets() -> None:
    diff = f"""--- /etc/kubernetes/manifests/kube-apiserver.yaml
+++ new manifest
@@ -40,9 +40,7 @@
     - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
     env:
     - name: LICENSE
       value: {WORD}1
-    - name: GREETING
-      value: |-
-        {WORD}2
-        {WORD}3
-    - value: {WORD}4
-      name: OTHER
-    - --oidc-client-secret={WORD}5
-    image: registry.k8s.io/kube-apiserver:v1.34.4
+    image: registry.k8s.io/kube-apiserver:v1.35.4
"""
    assert decisions.without_secrets(diff).splitlines() == [
        "--- /etc/kubernetes/manifests/kube-apiserver.yaml",
        "+++ new manifest",
        "@@ -40,9 +40,7 @@",
        "-    - name: GREETING",
        "-      value: (hidden)",
        "-    - value: (hidden)",
        "-      name: OTHER",
        "-    - --oidc-client-secret=(hidden)",
        "-    image: registry.k8s.io/kube-apiserver:v1.34.4",
        "+    image: registry.k8s.io/kube-apiserver:v1.35.4",
    ]
