# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/plan.yml and the gates of the role preflight by ansible-playbook on a real API server."""

from __future__ import annotations

import json
import os
import platform
import pty
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from control_plane import control_plane, remove
from harness.cluster import Cluster
from harness.objects import budget, deployment, namespace, node
from harness.process import wait_for

PLANE, WORKER, SHOP = "plan-plane", "plan-worker", "plan-shop"
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).absolute().parent
ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def small(cluster: Cluster) -> t.Iterator[Cluster]:
    """A control plane and a worker at 1.34.4, with a singleton on the worker."""
    with control_plane(cluster, {PLANE: ("v1.34.4", f"127.0.0.1:{cluster.port}")}):
        cluster.apply(namespace(SHOP), node(WORKER, labels={"pool": "plan"}))
        cluster.apply(deployment("cart", SHOP, 1, node_selector={"pool": "plan"}))
        wait_for("the pod runs", lambda: _running(cluster), 240)
        yield cluster
    remove(cluster, f"/apis/apps/v1/namespaces/{SHOP}/deployments/cart")
    remove(cluster, f"/api/v1/nodes/{WORKER}")


def _running(cluster: Cluster) -> bool:
    pods = cluster.client.list(f"/api/v1/namespaces/{SHOP}/pods")
    return bool(pods) and all(pod["status"]["phase"] == "Running" for pod in pods)


@pytest.fixture
def never(small: Cluster) -> t.Iterator[None]:
    """A budget that never lets the singleton go."""
    small.apply(budget("cart", SHOP, "cart", minAvailable=1))
    path = f"/apis/policy/v1/namespaces/{SHOP}/poddisruptionbudgets/cart"
    wait_for("the budget is judged", lambda: "expectedPods" in small.client.get(path).get("status", {}), 240)
    yield
    remove(small, path)


def command(playbook: Path, place: Path, *words: str, **variables: t.Any) -> tuple[list[str], dict[str, str]]:
    """ansible-playbook on this machine, and its environment."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    env = {
        **kept,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_HOME": str(place / "ansible"),
    }
    given = json.dumps({"ansible_python_interpreter": sys.executable, **variables})
    hosts = ("--inventory", "localhost,", "--connection", "local")
    return [str(BIN / "ansible-playbook"), *hosts, "--extra-vars", given, str(playbook), *words], env


def plan(cluster: Cluster, place: Path, *words: str, **variables: t.Any) -> tuple[list[str], dict[str, str]]:
    """The command that makes a plan from the API alone, with its files in the working directory."""
    options = {
        "kubernetes_version": "1.35.4",
        "preflight_read_nodes": False,
        "upgrade_kubeconfig": str(cluster.kubeconfig),
        "upgrade_artifacts_dir": ".",
        **variables,
    }
    return command(ROOT / "playbooks/plan.yml", place, *words, **options)


def run(argv: list[str], env: dict[str, str], place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, cwd=place, capture_output=True, text=True, check=False)


def acceptances(place: Path) -> list[dict[str, str]]:
    """Every blocker of the plan in `place`, with a reason."""
    made = json.loads((place / "upgrade-plan.json").read_text())
    ids = sorted({found["id"] for found in made["findings"] if found["severity"] == "blocker"})
    return [{"id": each, "reason": "of another test"} for each in ids]


def test_blockers_end_it_with_2_and_one_sentence(small: Cluster, never: None, tmp_path: Path) -> None:
    done = run(*plan(small, tmp_path), tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "in the way of 1.35.4: " in done.stdout, done.stdout
    assert "budget-never-allows" in done.stdout
    assert "poddisruptionbudget/plan-shop/cart" in done.stdout
    assert "The plan above says what to do about each." in done.stdout
    assert ESCAPE not in done.stdout
    made = json.loads((tmp_path / "upgrade-plan.json").read_text())
    (found,) = [f for f in made["findings"] if f["subject"] == f"poddisruptionbudget/{SHOP}/cart"]
    assert found["page"].endswith("/docs/findings/budget-never-allows.md")
    assert f"{SHOP}/cart" in [each["budget"] for each in made["cost"]["budgets"] if each["state"] == "never"]
    assert "### blocker: [budget-never-allows]" in (tmp_path / "upgrade-plan.md").read_text()


def test_the_options_of_the_drain_reach_the_plan(small: Cluster, never: None, tmp_path: Path) -> None:
    """As words of the command line, which are text: what a rollout moves needs no eviction."""
    argv, env = plan(small, tmp_path, "-e", "kubelet_drain_surge_singletons=true", "-e", "upgrade_worker_serial=50%")
    done = run(argv, env, tmp_path)
    made = json.loads((tmp_path / "upgrade-plan.json").read_text())
    assert f"poddisruptionbudget/{SHOP}/cart" not in {found["subject"] for found in made["findings"]}, done.stdout
    assert f"{SHOP}/cart" not in {each["budget"] for each in made["cost"]["budgets"]}
    refused = run(*plan(small, tmp_path, "-e", "upgrade_worker_serial=some"), tmp_path)
    assert refused.returncode == 2
    assert "worker_serial has 'some'" in refused.stdout, refused.stdout


def test_without_blockers_it_ends_with_0(small: Cluster, never: None, tmp_path: Path) -> None:
    """The same cluster, with its blockers accepted."""
    assert run(*plan(small, tmp_path), tmp_path).returncode == 2
    accepted = acceptances(tmp_path)
    assert "budget-never-allows" in [each["id"] for each in accepted]
    journal = {"time": "2026-01-31T12:00:00.000Z", "host": PLANE, "event": "run_started"}
    (tmp_path / "upgrade-journal.jsonl").write_text(json.dumps(journal) + "\n")
    done = run(*plan(small, tmp_path, preflight_accepted_findings=accepted), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing stands in the way of 1.35.4." in done.stdout
    assert "1.34.4 to 1.35.4" in done.stdout
    made = json.loads((tmp_path / "upgrade-plan.json").read_text())
    assert f"{SHOP}/cart" in {pod["pod"].rsplit("-", 2)[0] for pod in made["cost"]["singletons"]}
    assert made["hops"][0]["control_plane"] == [PLANE]
    assert made["cost"]["time"]["runs"] == 1


def test_a_repository_that_cannot_be_asked_is_a_blocker(small: Cluster, tmp_path: Path) -> None:
    """This machine stands for a worker that asks."""
    here = platform.node().lower()
    small.apply(node(here, labels={"pool": "plan"}))
    options = {
        "preflight_read_nodes": True,
        "preflight_ask_programs": False,
        "upgrade_control_plane": "all",
        "upgrade_workers": "all",
        "upgrade_artifacts_dir": "artifacts",
        "node_prepare_repository_url": "http://127.0.0.1:1/v{{ node_prepare_minor }}/deb/",
        "ansible_become": False,
    }

    def offered(**more: str) -> tuple[int, str, list[dict[str, str]]]:
        done = run(*plan(small, tmp_path, **{**options, **more}), tmp_path)
        made = json.loads((tmp_path / "artifacts/upgrade-plan.json").read_text())
        found = [each for each in made["findings"] if each["id"] == "version-not-offered"]
        return done.returncode, done.stdout + done.stderr, found

    code, said, (found,) = offered()
    assert (code, found["severity"]) == (2, "blocker")
    assert "http://127.0.0.1:1/v1.35/deb/Packages.gz cannot be read: " in found["evidence"]
    assert "Connection refused" in found["evidence"]
    assert found["subject"] == f"node/{here}"
    # There was no folder of artifacts before.
    assert "Unable to find" not in said
    # The remedies, to the letter.
    for name in ("preflight_ask_repositories", "node_prepare_manage_repository"):
        assert name in found["remedy"]
        _code, _said, (noted,) = offered(**{name: "false"})
        assert noted["severity"] == "note"
    remove(small, f"/api/v1/nodes/{here}")


def test_a_terminal_has_colours_unless_it_wants_none(small: Cluster, tmp_path: Path) -> None:
    argv, env = plan(small, tmp_path)
    coloured = _on_a_terminal(argv, env, tmp_path)
    assert ESCAPE in coloured
    (title,) = [line for line in coloured.splitlines() if "PLAN  " in line]
    assert ESCAPE in title
    assert ESCAPE not in _on_a_terminal(argv, {**env, "NO_COLOR": "1"}, tmp_path)


def test_in_check_mode_no_file_is_written(small: Cluster, tmp_path: Path) -> None:
    done = run(*plan(small, tmp_path, "--check"), tmp_path)
    assert "PLAN  1.34.4 to 1.35.4" in done.stdout, done.stdout
    assert not (tmp_path / "upgrade-plan.json").exists()


def test_gates_of_the_role_let_through_or_end_the_run(small: Cluster, tmp_path: Path) -> None:
    tasks = [{"ansible.builtin.import_role": {"name": "evergreen.kubeadm.preflight", "tasks_from": "gates"}}]
    api = {"group/evergreen.kubeadm.api": {"kubeconfig": str(small.kubeconfig)}}
    play = {"name": "Gates", "hosts": "localhost", "gather_facts": False, "module_defaults": api, "tasks": tasks}
    playbook = tmp_path / "gates.yml"
    playbook.write_text(json.dumps([play]))
    about = {"api_version": "v1", "kind": "Node", "name": WORKER}
    gates = [{"name": "uncordoned", "object": {**about, "expression": "!(spec.unschedulable)"}}]
    ran = command(playbook, tmp_path, upgrade_gates=gates, upgrade_gates_timeout_s=0)
    good = run(*ran, tmp_path)
    assert good.returncode == 0, good.stdout
    assert "ok=2" in good.stdout
    small.client.patch(f"/api/v1/nodes/{WORKER}", {"spec": {"unschedulable": True}})
    try:
        bad = run(*ran, tmp_path)
    finally:
        small.client.patch(f"/api/v1/nodes/{WORKER}", {"spec": {"unschedulable": None}})
    assert bad.returncode == 2, bad.stdout
    assert f"gate uncordoned of Node {WORKER}" in bad.stdout


def _on_a_terminal(argv: list[str], env: dict[str, str], place: Path) -> str:
    main, other = pty.openpty()
    with subprocess.Popen(
        argv, env={**env, "TERM": "xterm"}, cwd=place, stdin=other, stdout=other, stderr=other
    ) as process:
        os.close(other)
        said = b""
        while True:
            try:
                data = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            said += data
        process.wait()
    os.close(main)
    return said.decode("utf-8", "replace")
