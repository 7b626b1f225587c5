# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.info import collect, configured_sandbox
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import Busy, Runner
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.upgrade import missing_manifests

FIXTURES = Path(__file__).parent / "fixtures"
NOW = 1_800_000_000.0


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def control_plane(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / "1.34.4", tmp_path / "etc/kubernetes/manifests")
    put(tmp_path, "/etc/kubernetes/pki/ca.crt", (FIXTURES / "apiserver.crt").read_text())
    return tmp_path


def test_an_empty_tree_is_a_worker_with_nothing(tmp_path: Path) -> None:
    info = collect(Node(tmp_path), NOW)
    assert info["role"] == "worker"
    assert info["static_pods"] == {}
    assert info["certificates"] == []
    assert info["kubeadm"] == {"version": "", "package": None}
    assert info["kubelet"]["running"] is False
    assert info["container_runtime"] == {"name": "", "version": "", "socket": "", "sandbox": None, "sockets": []}
    assert info["etcd"] == {"present": False, "external": [], "data_dir": "", "db_bytes": 0}
    assert info["package_sources_error"] == ""
    assert info["time"] == NOW
    assert info["clock"] == {"synchronised": None, "max_error_s": None, "asked_at": None}
    assert info["repositories"] == []
    json.dumps(info)


def test_a_control_plane(control_plane: Path) -> None:
    put(control_plane, "/etc/kubernetes/manifests/kube-apiserver.yaml.bak", "kind: Pod\n")
    put(control_plane, "/etc/kubernetes/manifests/.hidden.yaml", "kind: Pod\n")
    put(control_plane, "/etc/kubernetes/tmp/a/b", "12345")
    put(control_plane, "/var/lib/etcd/member/snap/db", "1234")
    put(control_plane, "/sys/fs/cgroup/cgroup.controllers")
    put(control_plane, "/proc/swaps", "Filename Type\n/swap file\n")
    put(control_plane, "/etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    info = collect(Node(control_plane), NOW)
    assert info["role"] == "control_plane"
    assert [pod["file"] for pod in info["foreign_manifests"]] == ["/etc/kubernetes/manifests/kube-apiserver.yaml.bak"]
    assert info["kubeadm_tmp_bytes"] == 5
    assert info["etcd"] == {"present": True, "external": [], "data_dir": "/var/lib/etcd", "db_bytes": 4}
    assert (info["cgroup_version"], info["swap_on"], info["external_ca"]) == (2, True, True)
    assert info["os"] == {"id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"}
    assert info["certificates"] == [
        {
            "path": "/etc/kubernetes/pki/ca.crt",
            "subject_cn": "kube-apiserver",
            "not_after": "2027-11-21T05:55:12.000Z",
            "days_left": 309,
        }
    ]


@pytest.mark.parametrize(
    ("certificates", "keys", "stacked", "expected"),
    [
        (("ca", "front-proxy-ca", "etcd/ca"), ("ca", "front-proxy-ca", "etcd/ca"), True, []),
        (("ca", "front-proxy-ca", "etcd/ca"), (), True, ["ca", "front-proxy-ca", "etcd/ca"]),
        (("ca", "front-proxy-ca", "etcd/ca"), ("ca", "etcd/ca"), True, ["front-proxy-ca"]),
        (("ca", "front-proxy-ca", "etcd/ca"), ("ca", "front-proxy-ca"), True, ["etcd/ca"]),
        # The certificate of an external etcd's authority may be at the same place.
        (("ca", "front-proxy-ca", "etcd/ca"), ("ca", "front-proxy-ca"), False, []),
        (("ca", "front-proxy-ca"), ("front-proxy-ca",), False, ["ca"]),
        ((), (), True, []),
    ],
)
def test_authorities_without_their_keys(
    tmp_path: Path, certificates: tuple[str, ...], keys: tuple[str, ...], stacked: bool, expected: list[str]
) -> None:
    shutil.copytree(FIXTURES / "1.34.4", tmp_path / "etc/kubernetes/manifests")
    if not stacked:
        (tmp_path / "etc/kubernetes/manifests/etcd.yaml").unlink()
    for name in certificates:
        put(tmp_path, f"/etc/kubernetes/pki/{name}.crt", (FIXTURES / "apiserver.crt").read_text())
    for name in keys:
        put(tmp_path, f"/etc/kubernetes/pki/{name}.key", "key\n")
    info = collect(Node(tmp_path), NOW)
    assert info["ca_keys_missing"] == expected
    assert info["external_ca"] is ("ca" in expected)


def test_another_folder_of_certificates(control_plane: Path) -> None:
    kubernetes = control_plane / "etc/kubernetes"
    (kubernetes / "pki").rename(kubernetes / "ssl")
    put(control_plane, "/etc/kubernetes/ssl/etcd/ca.crt", (FIXTURES / "apiserver.crt").read_text())
    put(control_plane, "/etc/kubernetes/ssl/etcd/ca.key", "key")
    # A certificate of before, which nothing uses.
    put(control_plane, "/etc/kubernetes/pki/ca.crt", (FIXTURES / "apiserver.crt").read_text())
    for manifest in (kubernetes / "manifests").iterdir():
        manifest.write_text(manifest.read_text().replace("/etc/kubernetes/pki", "/etc/kubernetes/ssl"))
    info = collect(Node(control_plane), NOW)
    assert info["certificates_dir"] == "/etc/kubernetes/ssl"
    paths = ["/etc/kubernetes/ssl/ca.crt", "/etc/kubernetes/ssl/etcd/ca.crt"]
    assert [entry["path"] for entry in info["certificates"]] == paths
    assert (info["ca_keys_missing"], info["external_ca"]) == (["ca"], True)


def test_a_control_plane_with_external_etcd(control_plane: Path) -> None:
    manifests = control_plane / "etc/kubernetes/manifests"
    (manifests / "etcd.yaml").unlink()
    text = (manifests / "kube-apiserver.yaml").read_text()
    servers = "https://192.0.2.31:2379,https://192.0.2.32:2379"
    (manifests / "kube-apiserver.yaml").write_text(text.replace("https://127.0.0.1:2379", servers))
    etcd = collect(Node(control_plane), NOW)["etcd"]
    assert (etcd["present"], etcd["external"]) == (False, servers.split(","))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("authentication: {x509: {clientCAFile: /etc/kubernetes/ssl/ca.crt}}\n", "/etc/kubernetes/ssl"),
        ("authentication: {x509: {clientCAFile: /etc/bundle.pem}}\n", "/etc/kubernetes/pki"),
        ("authentication: {}\n", "/etc/kubernetes/pki"),
    ],
)
def test_the_folder_of_certificates_of_a_worker(tmp_path: Path, config: str, expected: str) -> None:
    put(tmp_path, "/var/lib/kubelet/config.yaml", config)
    assert collect(Node(tmp_path), NOW)["certificates_dir"] == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("admin.conf", "controller-manager.conf", "ssl/apiserver.crt"), True),
        # The kubeconfig of an administrator who works there.
        (("admin.conf", "kubelet.conf"), False),
        (("kubelet.conf",), False),
    ],
)
def test_a_control_plane_without_any_manifest(tmp_path: Path, files: tuple[str, ...], expected: bool) -> None:
    for name in files:
        put(tmp_path, f"/etc/kubernetes/{name}", "a")
    assert Node(tmp_path).is_control_plane() is expected


def test_a_worker_never_has_the_key_of_an_authority(tmp_path: Path) -> None:
    put(tmp_path, "/etc/kubernetes/pki/ca.crt", (FIXTURES / "apiserver.crt").read_text())
    info = collect(Node(tmp_path), NOW)
    assert (info["role"], info["ca_keys_missing"], info["external_ca"]) == ("worker", None, None)


def test_a_control_plane_whose_api_server_manifest_is_away_is_still_one(control_plane: Path) -> None:
    (control_plane / "etc/kubernetes/manifests/kube-apiserver.yaml").unlink()
    assert Node(control_plane).is_control_plane()


def test_kubelet_and_runtime(tmp_path: Path) -> None:
    put(tmp_path, "/var/lib/kubelet/config.yaml", "cgroupDriver: systemd\nstaticPodURLHeader: {a: [secret]}\n")
    put(tmp_path, "/var/lib/kubelet/instance-config.yaml", "containerRuntimeEndpoint: unix:///run/crio/crio.sock\n")
    put(tmp_path, "/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--node-ip=192.0.2.1\n")
    put(tmp_path, "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\nExecStart=/k --mine\n")
    put(tmp_path, "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\nExecStart=/k --hidden\n")
    put(tmp_path, "/proc/stat", "cpu 1\nbtime 1000\n")
    put(tmp_path, "/proc/77/comm", "kubelet\n")
    put(tmp_path, "/proc/77/stat", f"77 (kube let)) S {' '.join(str(n) for n in range(4, 22))} 250 23\n")
    info = collect(Node(tmp_path), NOW, asked_at=NOW - 1)
    assert info["clock"]["asked_at"] == NOW - 1
    assert info["kubelet"]["config"] == {"cgroupDriver": "systemd"}
    assert [flag["name"] for flag in info["kubelet"]["flags"]] == ["node-ip", "mine"]
    assert info["kubelet"]["running"] is True
    assert info["kubelet"]["started_epoch"] == pytest.approx(1002.5)
    assert info["container_runtime"]["name"] == "cri-o"


def test_layers_of_the_kubelets_configuration(tmp_path: Path) -> None:
    put(tmp_path, "/etc/default/kubelet", 'KUBELET_EXTRA_ARGS="--config-dir=/etc/kubernetes/kubelet.d"\n')
    folder = "/etc/kubernetes/kubelet.d"
    kind = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    put(tmp_path, f"{folder}/20-b.conf", f"{kind}maxPods: 250\nsystemReserved: {{memory: 2Gi}}\nswap: null\n")
    put(tmp_path, f"{folder}/10-a.conf", f"{kind}maxPods: 200\nsystemReserved: {{cpu: 500m}}\nswap: on\n")
    put(tmp_path, f"{folder}/a/b.conf", f"{kind}podPidsLimit: 4096\nstaticPodURLHeader: {{a: [secret]}}\n")
    put(tmp_path, f"{folder}/notes.txt", "maxPods: 1\n")
    put(tmp_path, "/var/lib/kubelet/cpu_manager_state", '{"policyName":"static","defaultCpuSet":"","checksum":1}')
    put(tmp_path, "/patches/kubeletconfiguration.yaml", "maxPods: 300\nstaticPodURLHeader: {a: [secret]}\n---\nb: 1\n")
    put(tmp_path, "/patches/kubeletconfiguration1+json.yaml", "- {op: add, path: /c, value: 2}\n")
    put(tmp_path, "/patches/kube-apiserver0+merge.yaml", "spec: {}\n")
    found = collect(Node(tmp_path), patches="/patches")["kubelet"]
    assert found["drop_ins"] == {
        "maxPods": 250,
        "systemReserved": {"cpu": "500m", "memory": "2Gi"},
        "swap": None,
        "podPidsLimit": 4096,
    }
    assert found["patches"] == [
        {"type": "strategic", "patch": {"maxPods": 300}},
        {"type": "strategic", "patch": {"b": 1}},
        {"type": "json", "patch": [{"op": "add", "path": "/c", "value": 2}]},
    ]
    assert found["manager_states"] == {"cpuManagerPolicy": "static"}
    assert collect(Node(tmp_path))["kubelet"]["patches"] == []


@pytest.mark.parametrize(
    ("dump", "image"),
    [
        # containerd 1.6 and 1.7, its configuration of version 2
        (
            (
                '  [plugins."io.containerd.grpc.v1.cri"]\n    restrict_oom_score_adj = false\n'
                '    sandbox_image = "registry.internal.example/pause:3.9"\n    selinux_category_range = 1024\n'
            ),
            "registry.internal.example/pause:3.9",
        ),
        # containerd 2, version 3
        (
            (
                "  [plugins.'io.containerd.cri.v1.images']\n    snapshotter = 'overlayfs'\n"
                "    [plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
                "      sandbox = 'registry.k8s.io/pause:3.10'\n        sandboxer = 'podsandbox'\n"
            ),
            "registry.k8s.io/pause:3.10",
        ),
        ("        sandboxer = 'podsandbox'\n", ""),
        ("", ""),
    ],
)
def test_the_image_of_sandboxes_that_containerd_is_configured_with(dump: str, image: str) -> None:
    assert configured_sandbox(dump) == image


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    put(tmp_path, "/usr/bin/good", "#!/bin/sh\necho W: old >&2\n")
    put(tmp_path, "/usr/bin/bad", "#!/bin/sh\necho E: no source of $1 >&2\nexit 100\n")
    for name in ("good", "bad"):
        (tmp_path / "usr/bin" / name).chmod(0o755)
    node = Node(tmp_path)
    assert [node.complaint(name, "x") for name in ("good", "bad", "none")] == ["", "E: no source of x\n", ""]


def runner(root: Path) -> Runner:
    # Processes are the machine's own.
    (root / "proc").symlink_to("/proc")
    return Runner(Node(root))


def program(root: Path, body: str) -> list[str]:
    return [sys.executable, "-u", str(put(root, "/program.py", body))]


def is_running(pid: str) -> bool:
    try:
        state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_runner_streams_lines(tmp_path: Path) -> None:
    run = runner(tmp_path)
    run.acquire(Deadline(5))
    body = (
        "import sys, time\nprint('a')\ntime.sleep(0.6)\nprint('b', file=sys.stderr)\nprint('c', end='')\nsys.exit(3)\n"
    )
    ran = run.run(program(tmp_path, body), Deadline(20))
    assert (ran.rc, ran.timed_out) == (3, False)
    assert ran.stream("stdout") == ["a", "c"]
    assert ran.stream("stderr") == ["b"]
    assert ran.lines[-1].at - ran.lines[0].at >= 0.3
    # Each run has its own lines, and the files those of all.
    assert run.run(["/bin/echo", "d"], Deadline(20)).stream("stdout") == ["d"]
    assert (run.folder / "kubeadm-upgrade.stdout").read_text() == "a\ncd\n"


def test_the_note_of_an_upgrade_is_there_until_it_is_finished(tmp_path: Path) -> None:
    run = runner(tmp_path)
    run.begin("v1.35.4")
    first = run.unfinished()
    assert first["target"] == "v1.35.4"
    run.begin("v1.35.4")
    assert run.unfinished() == first
    run.begin("v1.35.5")
    assert run.unfinished()["target"] == "v1.35.5"
    run.finished()
    assert run.unfinished() == {}


BACKUPS = "/etc/kubernetes/tmp/kubeadm-backup-manifests-2026-01-31"


def test_a_manifest_that_an_interrupted_kubeadm_moved_away_is_restored(tmp_path: Path) -> None:
    run = runner(tmp_path)
    for folder, text in ((f"{BACKUPS}-1", "of last year"), (f"{BACKUPS}-2", "old"), (f"{BACKUPS}-3", "newest")):
        put(tmp_path, f"{folder}/kube-apiserver.yaml", text)
    put(tmp_path, "/etc/kubernetes/manifests/etcd.yaml", "etcd")
    os.utime(run.node.path(f"{BACKUPS}-1"), (1, 1))
    os.utime(run.node.path(f"{BACKUPS}-2"), (time.time() - 0.5, time.time() - 0.5))
    missing = ["kube-apiserver.yaml", "kube-scheduler.yaml"]
    # Without a note nobody knows why it is away.
    assert run.restore_manifests(missing) == []
    run.begin("v1.35.4")
    assert run.restore_manifests(missing) == ["kube-apiserver.yaml"]
    assert run.node.read("/etc/kubernetes/manifests/kube-apiserver.yaml") == "newest"


def test_a_manifest_of_an_earlier_upgrade_is_not_restored(tmp_path: Path) -> None:
    run = runner(tmp_path)
    put(tmp_path, f"{BACKUPS}-1/kube-apiserver.yaml", "of last year")
    os.utime(run.node.path(f"{BACKUPS}-1"), (1, 1))
    run.begin("v1.35.4")
    assert run.restore_manifests(["kube-apiserver.yaml"]) == []


def test_runner_ends_the_whole_group_at_the_deadline(tmp_path: Path) -> None:
    run = runner(tmp_path)
    # A shell is there at once, also on a busy machine; both processes ignore SIGTERM.
    script = "trap '' TERM; sleep 60 & echo $!; wait"
    begin = time.monotonic()
    run.acquire(Deadline(5))
    ran = run.run(["/bin/sh", "-c", script], Deadline(2))
    assert (ran.rc, ran.timed_out) == (None, True)
    assert time.monotonic() - begin < 20
    # The kill went to all of them; a busy machine takes a moment to carry it out.
    until = time.monotonic() + 10
    while time.monotonic() < until and is_running(ran.stream("stdout")[0]):
        time.sleep(0.05)
    assert not is_running(ran.stream("stdout")[0])


TASK = """
import sys
from pathlib import Path
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import Runner
run = Runner(Node(Path(sys.argv[1])))
run.acquire(Deadline(20))
print("at work", flush=True)
run.run([sys.argv[2], "-c", "sleep 60; :", "upgrade", "node"], Deadline(60))
"""


@pytest.fixture
def kubeadm(tmp_path: Path) -> Path:
    """A shell by the name of kubeadm, as a kubeadm is told by its command line."""
    path = put(tmp_path, "/usr/bin/kubeadm")
    shutil.copyfile("/bin/sh", path)
    path.chmod(0o755)
    return path


def task(root: Path, kubeadm: Path) -> subprocess.Popen[bytes]:
    """The process of a task that has the lock and runs kubeadm."""
    process = subprocess.Popen(
        [sys.executable, "-c", TASK, str(root), str(kubeadm)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert t.cast("t.IO[bytes]", process.stdout).readline() == b"at work\n"
    return process


def kubeadm_of(run: Runner) -> int:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = run.kubeadms()
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("kubeadm did not start")


def test_a_second_task_waits_for_the_first_and_names_it_at_its_deadline(tmp_path: Path, kubeadm: Path) -> None:
    run = runner(tmp_path)
    first = task(tmp_path, kubeadm)
    pid = kubeadm_of(run)
    begin = time.monotonic()
    with pytest.raises(Busy) as failed:
        run.acquire(Deadline(1))
    assert 1 <= time.monotonic() - begin < 10
    assert f"Another task (process {first.pid}, since 20" in failed.value.message
    assert f"kubeadm upgrade (process {pid}) runs" in failed.value.message
    assert f"kill {first.pid} before" in failed.value.hint
    first.kill()
    first.wait()
    # Its kubeadm is not ended, and has the lock still, also where nothing can be told by its command line.
    (tmp_path / "proc").unlink()
    (tmp_path / "proc").mkdir()
    with pytest.raises(Busy, match="Another task is still at work"):
        Runner(Node(tmp_path)).acquire(Deadline(1))
    (tmp_path / "proc").rmdir()
    (tmp_path / "proc").symlink_to("/proc")
    assert is_running(str(pid))
    # What it has moved away just now is not missing.
    assert missing_manifests(run.node) == []
    threading.Timer(1, lambda: os.killpg(pid, signal.SIGKILL)).start()
    assert 0.5 < Runner(Node(tmp_path)).acquire(Deadline(20)) < 15
    assert "kube-apiserver.yaml" in missing_manifests(run.node)


@pytest.mark.parametrize(
    ("words", "waits"),
    [
        (["--v=5", "upgrade", "apply", "v1.35.4"], True),
        (["upgrade", "node", "phase", "kubelet-config"], True),
        (["upgrade", "plan"], False),
        (["upgrade", "diff", "v1.35.4"], False),
        (["certs", "renew", "all"], False),
    ],
)
def test_a_kubeadm_that_a_person_started_is_waited_for(
    tmp_path: Path, kubeadm: Path, words: list[str], waits: bool
) -> None:
    run = runner(tmp_path)
    person = subprocess.Popen([str(kubeadm), "-c", "sleep 60; :", *words], start_new_session=True)
    try:
        # For a moment after its start a process has no command line.
        while not Path(f"/proc/{person.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        if not waits:
            assert run.acquire(Deadline(5)) == 0.0
            return
        with pytest.raises(Busy) as failed:
            run.acquire(Deadline(1))
        assert f"kubeadm upgrade (process {person.pid}) is still running on" in failed.value.message
    finally:
        os.killpg(person.pid, signal.SIGKILL)
        person.wait()


def test_a_lock_without_a_name_is_waited_for_too(tmp_path: Path) -> None:
    """The one that has it is about to write its name, or is of an earlier version and does not."""
    first, second = runner(tmp_path), Runner(Node(tmp_path))
    first.acquire(Deadline(5))
    (tmp_path / "var/lib/evergreen-kubeadm/kubeadm-upgrade.lock").write_text("")
    with pytest.raises(Busy) as failed:
        second.acquire(Deadline(0))
    assert failed.value.message.startswith("Another task is still at work on")
    assert "fuser -v" in failed.value.hint
