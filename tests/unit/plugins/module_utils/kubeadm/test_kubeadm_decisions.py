# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import parse_mirror_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.decisions import UpgradeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    Evidence,
    Line,
    MirrorPod,
    Options,
    Ran,
    StaticPod,
    Step,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Outcome

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
        "differing": [],
        "kubelet_running_version": "1.35.4",
        "kubelet_installed_version": "1.35.4",
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
        ["etcd has 3.6.5-0", "kube-apiserver has v1.34.4", "kube-controller-manager", "kube-scheduler", "is v1.34.4"],
    ),
    "only etcd done": (
        evidence({**OLD, "etcd": "3.6.6-0"}),
        OTHER,
        ["kube-apiserver has v1.34.4", "kube-controller-manager", "kube-scheduler", "is v1.34.4"],
    ),
    "another manifest of the same version": (
        evidence(differing=["etcd", "kube-scheduler"]),
        OTHER,
        ["manifest of etcd is not the one of v1.35.4", "manifest of kube-scheduler is not the one of v1.35.4"],
    ),
    "kubeadm was not asked for the manifests": (evidence(differing=None), OTHER, []),
    "the kubelet is the old one": (
        evidence(kubelet_running_version="1.34.4"),
        OTHER,
        ["kubelet runs 1.34.4, and 1.35.4 is installed"],
    ),
    "no kubelet runs": (evidence(kubelet_running_version=""), OTHER, ["kubelet runs not, and 1.35.4 is installed"]),
    "the kubelet follows later": (
        evidence(kubelet_running_version="1.34.4", kubelet_installed_version="1.34.4"),
        OTHER,
        [],
    ),
    "a manifest is away": (
        evidence({name: tag for name, tag in NEW.items() if name != "kube-scheduler"}),
        OTHER,
        ["the manifest of kube-scheduler is not there"],
    ),
    "rolled back": (
        evidence({**OLD, "etcd": "3.6.6-0"}, expected_etcd_tag=""),
        Options(target="v1.34.4", role="first_control_plane", rollback=True),
        [],
    ),
    "not rolled back": (
        evidence(differing=["kube-scheduler"]),
        Options(target="v1.34.4", role="control_plane", rollback=True),
        ["kube-apiserver has v1.35.4, not v1.34.4", "controller-manager", "scheduler", "is v1.35.4, not v1.34.4"],
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
    "an earlier run did not succeed": (evidence(interrupted="v1.35.4"), OTHER, ["was interrupted"]),
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
        ["was interrupted"],
    ),
}


@pytest.mark.parametrize(("seen", "asked", "expected"), CASES.values(), ids=CASES.keys())
def test_judge(seen: Evidence, asked: Options, expected: list[str]) -> None:
    missing = decisions.judge(seen, asked)
    assert len(missing) == len(expected), missing
    for sentence, part in zip(missing, expected):
        assert part in sentence


def test_ready_conditions_do_not_count_after_a_swap() -> None:
    seen = evidence(mirror_pods=pods(NEW, kube_scheduler=False))
    assert decisions.judge(seen, OTHER, ready=False) == []


@pytest.mark.parametrize(
    ("seen", "asked", "needs"),
    [
        (evidence(), FIRST, False),
        (evidence(kubelet_running_version="1.34.4"), FIRST, False),
        (evidence(kubelet_running_version="1.34.4", interrupted="v1.35.4"), FIRST, True),
        (evidence(kubelet_running_version="1.34.4", cluster_version="v1.34.4"), FIRST, True),
        (evidence(kubelet_running_version="1.34.4", cluster_version="v1.34.4"), OTHER, False),
        (evidence(differing=["etcd"]), OTHER, True),
        (evidence(OLD), OTHER, True),
        # It would upgrade again: kubeadm-config names the newer version still.
        (evidence(NEW), Options(target="v1.34.4", role="first_control_plane", rollback=True), False),
    ],
)
def test_needs_kubeadm(seen: Evidence, asked: Options, needs: bool) -> None:
    assert decisions.needs_kubeadm(seen, asked) is needs


@pytest.mark.parametrize(
    ("seen", "lags"),
    [
        (evidence(), False),
        (evidence(OLD), False),
        (evidence(api_server_version="v1.34.4"), True),
        (evidence(api_server_version="v1.34.4", interrupted="v1.35.4"), False),
        (evidence(api_server_version="v1.34.4", kubelet_running_version="1.34.4"), False),
        (evidence(api_server_version="v1.34.4", differing=["etcd"]), False),
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


BACK = Options(target="v1.34.4", role="control_plane", rollback=True)


@pytest.mark.parametrize(
    ("installed", "fits"),
    [("1.34.4", True), ("1.34.6", True), ("1.35.4", True), ("1.34.3", False), ("1.36.0", False), ("", False)],
)
def test_kubeadm_of_a_rollback(installed: str, fits: bool) -> None:
    assert decisions.composes(installed, BACK) is fits
    if not fits:
        with pytest.raises(UpgradeError, match=r"which does not deploy v1\.34\.4"):
            decisions.check_kubeadm(installed, BACK, "n1")


def test_the_kubelet_alone_is_rolled_back_with_any_kubeadm() -> None:
    stays = replace(BACK, target="v1.35.4", skip_phases=("control-plane",))
    decisions.check_kubeadm("1.34.4", stays, "n1")


def static_pods(tag: str, emulated: str = "") -> dict[str, StaticPod]:
    flags = {"emulated-version": emulated} if emulated else {}
    return {name: StaticPod(f"/{name}.yaml", name, tag=tag, flags=flags) for name in CONTROL_PLANE_COMPONENTS}


@pytest.mark.parametrize(
    ("found", "kubelet", "refusal"),
    [
        (static_pods("v1.35.4", "1.34"), "1.34.4", ""),
        (static_pods("v1.34.6"), "1.34.6", ""),
        (static_pods("v1.34.4"), "", ""),
        (static_pods("v1.35.4"), "", "kube-apiserver on n1 cannot be rolled back to v1.34.4: it runs v1.35.4 without"),
        (static_pods("v1.35.4", "1.35"), "", "with --emulated-version=1.35"),
        (static_pods("v1.36.0", "1.34"), "", "2 minors newer"),
        (static_pods("v1.34.3"), "", "would be an upgrade"),
        (static_pods("v1.35.4", "1.34"), "1.35.4", "kubelet that is installed on n1 is 1.35.4"),
    ],
)
def test_rollback(found: dict[str, StaticPod], kubelet: str, refusal: str) -> None:
    if not refusal:
        decisions.check_rollback(found, kubelet, BACK, "n1")
        return
    with pytest.raises(UpgradeError) as failed:
        decisions.check_rollback(found, kubelet, BACK, "n1")
    assert refusal in failed.value.message


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


def test_the_rollback_of_a_worker_is_its_kubelets_alone() -> None:
    back = options("worker", rollback=True)
    decisions.check_options(back)
    decisions.check_kubeadm("1.36.0", back, "w1")
    assert decisions.predicted_argv(back) == []
    seen = Evidence(control_plane=False, kubelet_running_version="1.36.0", kubelet_installed_version="1.35.4")
    assert decisions.judge(seen, back) == ["kubelet runs 1.36.0, not v1.35.4"]
    assert decisions.kubelet_changes(seen) and decisions.judge_kubelet(seen) == [
        "kubelet runs 1.36.0, and 1.35.4 is installed"
    ]


@pytest.mark.parametrize(
    ("running", "installed", "restarts"),
    [
        ("1.34.4", "1.35.4", True),
        # It started as the target's before an interrupted run had its configuration written.
        ("1.35.4", "1.35.4", True),
        ("", "1.35.4", True),
        ("1.34.4", "1.34.4", False),
        ("1.34.4", "", False),
    ],
)
def test_the_kubelet_of_a_worker_is_restarted(running: str, installed: str, restarts: bool) -> None:
    seen = Evidence(control_plane=False, kubelet_running_version=running, kubelet_installed_version=installed)
    assert decisions.restarts_kubelet(seen, options("worker")) is restarts


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


def test_argv_of_phases() -> None:
    first, other = options("first_control_plane", **ALL), options(**ALL)
    common = ["--kubeconfig=/k", "--v=10"]
    assert decisions.preflight_argv("kubeadm", first) == [
        *["kubeadm", "upgrade", "apply", "phase", "preflight", "v1.35.4", "--yes", "--kubeconfig=/k"],
        *[ALL_FLAGS[1], "--v=10"],
    ]
    # This phase has no --kubeconfig.
    assert decisions.preflight_argv("kubeadm", other) == [
        *["kubeadm", "upgrade", "node", "phase", "preflight", ALL_FLAGS[1], "--v=10"]
    ]
    assert decisions.kubelet_argvs("kubeadm", first) == [
        ["kubeadm", "upgrade", "apply", "phase", "kubelet-config", "v1.35.4", *common, "--patches=/p"],
        ["kubeadm", "upgrade", "apply", "phase", "post-upgrade", "v1.35.4", *common],
    ]
    assert decisions.kubelet_argvs("kubeadm", other)[1] == [
        "kubeadm",
        "upgrade",
        "node",
        "phase",
        "post-upgrade",
        *common,
    ]
    skipped = options(skip_phases=("preflight", "kubelet-config", "post-upgrade"))
    assert decisions.preflight_argv("kubeadm", skipped) == []
    assert decisions.kubelet_argvs("kubeadm", skipped) == []
    renew = decisions.renew_argv("kubeadm", "/srv/pki", other)
    assert renew == ["kubeadm", "certs", "renew", "all", "--cert-dir=/srv/pki", *common]
    # Before 1.32 apply has no phases.
    old = Options(target="v1.31.4", role="first_control_plane")
    assert decisions.preflight_argv("kubeadm", old) == []
    assert decisions.kubelet_argvs("kubeadm", old) == [["kubeadm", "upgrade", "node", "phase", "kubelet-config"]]


def test_the_last_word_of_kubeadm() -> None:
    assert decisions.argv("kubeadm", decisions.last_word(options(skip_phases=("addon",)), checked=True)) == [
        *["kubeadm", "upgrade", "node", "--etcd-upgrade=false", "--skip-phases=addon,preflight"]
    ]
    assert decisions.last_word(options(skip_phases=("preflight",)), checked=True).skip_phases == ("preflight",)
    assert decisions.last_word(options(), checked=False).skip_phases == ()
    assert decisions.predicted_argv(BACK) == []
    assert decisions.predicted_argv(options("worker")) == ["kubeadm", "upgrade", "node"]
    assert decisions.predicted_argv(FIRST)[-1] == "--skip-phases=preflight"


OUTCOME = Outcome(
    swap_id="x",
    purpose="v1.35.4",
    outcome="put_back",
    cause="kube-apiserver does not start: Error: unknown flag: --no-such-flag",
    component="kube-apiserver",
    logs="/l",
    steps=[],
    restarts={},
)


@pytest.mark.parametrize(
    ("outcome", "message", "hint"),
    [
        (
            OUTCOME,
            (
                "The swap to v1.35.4 on n1 failed: kube-apiserver does not start: Error: unknown flag: --no-such-flag. "
                "The old manifests and the old kubelet are restored, and the node serves as before."
            ),
            "Its logs are in /l on n1. Correct the cause, then run this again.",
        ),
        (replace(OUTCOME, outcome="failed", component=""), "and they do not serve either.", "See /l, journalctl"),
    ],
)
def test_a_swap_that_failed(outcome: Outcome, message: str, hint: str) -> None:
    said, next_step = decisions.swap_failure(outcome, "n1")
    assert message in said
    assert hint in next_step


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
            "why the component did not come up",
        ),
        (
            ran(1, ROLLBACK),
            "control-plane/etcd",
            "kubeadm put the earlier manifests back.",
            "journalctl -u kubelet",
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
        (ran(2), "addon", "failed in phase addon (exit code 2): it wrote no error.", "journalctl"),
    ],
)
def test_failure(run: Ran, step: str, message: str, hint: str) -> None:
    said, next_step = decisions.failure(run, [Step(step, 1.0)], "n1", 60.2)
    assert message in said
    assert hint in next_step


TASK = {"pid": 4711, "started": 1769860790.0}


@pytest.mark.parametrize(
    ("holder", "kubeadms", "message", "hint"),
    [
        (
            TASK,
            [4712],
            "Another task (process 4711, since 2026-01-31T11:59:50.000Z) is still at work on n1: it had not ended",
            "ps -fp 4711,4712",
        ),
        (TASK, [4712], "60 s. kubeadm upgrade (process 4712) runs.", "it is waited for"),
        (TASK, [], "after 60 s.", "end it with kill 4711 before"),
        ({"pid": 4711}, [], "Another task (process 4711) is still", "ps -fp 4711 "),
        ({}, [4712], "kubeadm upgrade (process 4712) is still running on n1: it had not ended", "ps -fp 4712 "),
        ({}, [], "Another task is still at work on n1", "fuser -v /var/lib/evergreen-kubeadm/kubeadm-upgrade.lock"),
    ],
)
def test_busy(holder: dict[str, t.Any], kubeadms: list[int], message: str, hint: str) -> None:
    said, next_step = decisions.busy(holder, kubeadms, "n1", 60.2)
    assert message in said
    assert hint in next_step
    assert ("with kill" in next_step) == bool(holder)


def test_mirror_pods() -> None:
    def pod(component: str, image: str, ready: str = "True", **metadata: t.Any) -> dict[str, t.Any]:
        annotations = {"kubernetes.io/config.mirror": "x"}
        return {
            "metadata": {"labels": {"component": component}, "annotations": annotations, **metadata},
            "spec": {
                "nodeName": "cp3" if image == "r/etcd:3.6.5-0" else "cp2",
                "containers": [{"name": "side", "image": "s:1"}, {"name": component, "image": image}],
            },
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    found = parse_mirror_pods(
        {
            "items": [
                pod("etcd", "r/etcd:3.6.6-0"),
                pod("kube-apiserver", "r/a:v1.35.4", "False"),
                pod("kube-scheduler", "r/s:v1.35.4", deletionTimestamp="now"),
                pod("kube-controller-manager", "r/c:v1", annotations={}),
                pod("etcd", "r/etcd:3.6.5-0", "False"),
            ]
        }
    )
    assert found == {
        "cp2": {
            "etcd": MirrorPod("etcd", "3.6.6-0", True),
            "kube-apiserver": MirrorPod("kube-apiserver", "v1.35.4", False),
            "kube-scheduler": MirrorPod("kube-scheduler", "v1.35.4", False),
        },
        "cp3": {"etcd": MirrorPod("etcd", "3.6.5-0", False)},
    }


@pytest.mark.parametrize(
    ("node", "changes", "waits"),
    [
        ("cp1", {}, ["kube-apiserver on cp2", "etcd on cp3"]),
        ("cp2", {}, ["etcd on cp3"]),
        ("cp3", {}, ["kube-apiserver on cp2"]),
        # Which is what it may be for.
        ("cp1", {"rollback": True}, ["etcd on cp3"]),
        ("cp3", {"rollback": True}, []),
    ],
)
def test_what_is_waited_for_before_a_control_plane_stops(
    node: str, changes: dict[str, t.Any], waits: list[str]
) -> None:
    pods = {
        "cp1": {"etcd": MirrorPod("etcd", "3.6.5-0", True)},
        "cp2": {
            "etcd": MirrorPod("etcd", "3.6.6-0", True),
            "kube-apiserver": MirrorPod("kube-apiserver", "v1.35.4", False),
        },
        "cp3": {"etcd": MirrorPod("etcd", "3.6.5-0", False)},
    }
    assert decisions.others_not_ready(pods, node, options(**changes)) == waits


WORD = "hunter" + "2x"


def test_a_diff_of_manifests_has_what_changes_and_no_secrets() -> None:
    diff = f"""--- /etc/kubernetes/manifests/kube-apiserver.yaml
+++ new manifest
@@ -40,9 +40,7 @@
     - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
     env:
     - name: LICENSE
       value: |-
         line
-        {WORD}1
+        {WORD}6
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


@pytest.mark.parametrize(
    ("names", "alone"),
    [
        ([], False),
        (["CreateJob"], True),
        (["CreateJob", "ControlPlaneNodesReady"], False),
        (["ImagePull"], False),
    ],
)
def test_create_job_alone_failed(names: list[str], alone: bool) -> None:
    assert decisions.create_job_alone_failed([{"name": name, "message": "no"} for name in names]) is alone
