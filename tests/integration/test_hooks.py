# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks, stops and pauses in real runs of ansible-playbook, with the lock on a real API server."""

from __future__ import annotations

import http.server
import itertools
import json
import re
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.hooks import HOOKS
from control_plane import remove
from harness.cluster import Cluster
from harness.objects import node
from hooks_place import HOP, PLANES, ROOT, WORKERS, Place

OF_A_PLANE = ["pre_control_plane_node", "before_api_server_stop", "after_api_server_start", "post_control_plane_node"]
WHOLE = [
    ("pre_run", "c1"),
    ("pre_hop", "c1"),
    ("pre_control_plane", "c1"),
    *((hook, "c1") for hook in OF_A_PLANE),
    *((hook, "c2") for hook in OF_A_PLANE),
    ("post_control_plane", "c2"),
    ("pre_workers", "w1"),
    *((hook, worker) for worker in WORKERS for hook in ("pre_worker", "post_worker")),
    ("post_run", "c1"),
]
# The play that ends a hop comes before those that stand for its nodes here.
ENDS = [("post_hop", "c1")]


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> t.Iterator[Place]:
    cluster.apply(*map(node, PLANES + WORKERS))
    yield Place(tmp_path, cluster)
    for name in PLANES + WORKERS:
        remove(cluster, f"/api/v1/nodes/{name}")


def test_every_hook_runs_in_its_turn(place: Place) -> None:
    place.says(*HOOKS)
    (place.path / "second.yml").write_text("- ansible.builtin.shell: echo second >> {{ place }}/said\n")
    done = place.run(
        upgrade_hooks_dir="hooks", upgrade_hooks={"pre_workers": ["second.yml"]}, upgrade_pause_between_nodes_s=2
    )
    assert done.returncode == 0, done.stdout
    said = place.said()
    # The file of the option comes after that of the folder.
    place_of = {words[0]: number for number, words in enumerate(said)}
    assert place_of["second"] == place_of["pre_workers"] + 1
    said.remove(["second"])
    assert sorted((words[0], words[1]) for words in said) == sorted(WHOLE + ENDS)
    assert [(words[0], words[1]) for words in said if words[0] != "post_hop"] == WHOLE
    assert [(words[2], words[3], words[4]) for words in said if words[0] == "pre_run"] == [("-", "-", "-")]
    assert [words[2:5] for words in said if words[0] == "pre_worker"] == [[name, "1.35.4", "-"] for name in WORKERS]
    assert [words[2:5] for words in said if words[0] == "post_run"] == [["-", "1.35.4", "succeeded"]]
    # Between two nodes there is a pause, before the first one none.
    nodes = [*PLANES, *WORKERS]
    assert done.stdout.count("Pausing for 2 seconds") == len(nodes) - 1, done.stdout
    begun = {words[1]: float(words[5]) for words in said if words[0] in ("pre_control_plane_node", "pre_worker")}
    ended = {words[1]: float(words[5]) for words in said if words[0] in ("post_control_plane_node", "post_worker")}
    for before, after in itertools.pairwise(nodes):
        assert begun[after] - ended[before] > 2
    report = place.report()
    assert report["result"] == "succeeded"
    steps = {node["name"]: [step["name"] for step in node["steps"]] for node in report["nodes"]}
    assert "hook pre_worker" in steps["w2"]
    assert place.locks() == []


def example(title: str) -> str:
    """The first example of docs/hooks.md after `title`."""
    page = (ROOT / "docs/hooks.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", page[page.index(title) :], re.DOTALL)
    assert found
    return found[1]


@contextmanager
def chat() -> t.Iterator[tuple[str, list[dict[str, t.Any]]]]:
    """A web hook that keeps what it is told."""
    told: list[dict[str, t.Any]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", told
        server.shutdown()


def test_a_hook_that_fails_ends_the_run_and_is_named(place: Place) -> None:
    """With two workers at a time, of which one is well, and the message of the page."""
    place.says("pre_worker", "post_worker", "post_run")
    place.says("on_failure", folder="more")
    (place.path / "chat.yml").write_text(example("## Send a message"))
    with chat() as (url, told):
        done = place.run(
            upgrade_hooks_dir="hooks",
            upgrade_hooks={"on_failure": ["chat.yml", "more/on_failure.yml"]},
            upgrade_worker_serial=2,
            go_wrong=["pre_worker w1", "on_failure w1"],
            chat_webhook=url,
        )
    assert done.returncode == 2, done.stdout
    assert "Run the hook on w1 failed: The hook pre_worker" in done.stdout, done.stdout
    # A hook after the failure that fails as well takes neither its place nor the rest of the end.
    assert "The hook on_failure" in done.stdout
    assert sorted(words[:2] for words in place.said()[:2]) == [["pre_worker", "w1"], ["pre_worker", "w2"]]
    assert [words[:2] for words in place.said()[2:]] == [["on_failure", "w1"]]
    assert place.said()[2][4] == "failed"
    report = place.report()
    assert report["result"] == "failed"
    assert report["failure"]["host"] == "w1"
    assert "at its task Go wrong where the test wants it: the pager is on fire" in report["failure"]["message"]
    (message,) = told
    assert message["text"].startswith(f"Upgrade {report['run_id']} to v1.35.4 failed at Run the hook on w1: The hook")
    assert place.locks() == []


def test_a_hook_before_the_run_that_fails_releases_the_lock(place: Place) -> None:
    place.says("pre_run", "pre_hop", "on_failure")
    done = place.run(upgrade_hooks_dir="hooks", go_wrong=["pre_run c1"])
    assert done.returncode == 2, done.stdout
    assert [words[0] for words in place.said()] == ["pre_run", "on_failure"]
    assert place.report()["failure"]["message"].startswith("The hook pre_run")
    assert place.locks() == []


def test_a_hook_after_the_run_that_fails_is_a_failure_of_the_run(place: Place) -> None:
    place.says("post_run", "on_failure")
    done = place.run(upgrade_hooks_dir="hooks", go_wrong=["post_run c1"])
    assert done.returncode == 2, done.stdout
    assert [(words[0], words[4]) for words in place.said()] == [("post_run", "succeeded"), ("on_failure", "failed")]
    assert place.report()["failure"]["message"].startswith("The hook post_run")
    assert place.locks() == []


def test_in_check_mode_tasks_of_hooks_do_what_they_do_in_check_mode(place: Place) -> None:
    place.says(*HOOKS)
    done = place.run("--check", upgrade_hooks_dir="hooks", upgrade_pause_between_nodes_s=60)
    assert done.returncode == 0, done.stdout
    assert place.said() == []
    assert sorted((words[0], words[1]) for words in place.said("checked")) == sorted(WHOLE + ENDS)
    assert not (place.path / "artifacts").exists()
    assert place.locks() == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"upgrade_hooks": {"pre_workr": ["a.yml"]}}, "There is no hook pre_workr, which upgrade_hooks names. Did you"),
        ({"upgrade_hooks": {"pre_worker": ["none.yml"]}}, "The hook pre_worker has the file none.yml, and there is"),
        ({"upgrade_hooks": {"pre_worker": ["play.yml"]}}, "of the hook pre_worker is a playbook"),
        ({"upgrade_hooks": {"pre_worker": ["broken.yml"]}}, "broken.yml of the hook pre_worker cannot be read"),
        ({"upgrade_hooks_dir": "nowhere"}, "There is no folder of hooks at"),
        ({"upgrade_hooks_dir": "hooks"}, "There is no hook pre_all, which the file pre_all.yml of"),
        ({"upgrade_stop_after": "lunch"}, "value of upgrade_stop_after must be one of"),
    ],
)
def test_what_cannot_be_run_ends_it_at_the_start(place: Place, variables: dict[str, t.Any], message: str) -> None:
    place.says("pre_all")
    (place.path / "broken.yml").write_text("- name: [\n")
    done = place.run(**variables)
    assert done.returncode == 2, done.stdout
    assert message in " ".join(done.stdout.split()), done.stdout
    assert not (place.path / "artifacts").exists()
    assert place.locks() == []


def test_a_run_stops_after_a_stage_and_goes_on(place: Place) -> None:
    place.says(*HOOKS)
    done = place.run(upgrade_hooks_dir="hooks", upgrade_stop_after="control_plane_first")
    assert done.returncode == 0, done.stdout
    told = "Stopped after the stage control_plane_first of the hop 1.34.4 to 1.35.4"
    assert told in " ".join(done.stdout.split())
    seen = [tuple(words[:2]) for words in place.said()]
    assert seen == [*WHOLE[:7], ("post_run", "c1")]
    assert place.said()[-1][4] == "stopped"
    report = place.report()
    assert (report["result"], report["failure"]) == ("stopped", None)
    assert report["stop"]["stage"] == "control_plane_first"
    assert "upgrade_stop_after=control_plane." in report["stop"]["message"]
    assert "Stopped after" in (place.path / "artifacts/upgrade-report.html").read_text()
    assert place.locks() == []

    # The stage is over by what the next plan shows: the same command does nothing more, without the stop it goes on.
    left = {"control_plane": ["c2"], "apply_needed": False, "applies_on": None}
    place.hops, place.done = [{**HOP, **left}], ("c1",)
    for stage, expected in (("control_plane_first", []), ("none", ["c2", "w1", "w2"])):
        (place.path / "said").unlink()
        done = place.run(upgrade_hooks_dir="hooks", upgrade_stop_after=stage)
        assert done.returncode == 0, done.stdout
        nodes = [words[1] for words in place.said() if words[0] in ("pre_control_plane_node", "pre_worker")]
        assert nodes == expected
        assert place.report()["result"] == ("succeeded" if stage == "none" else "stopped")
        hops = [entry for entry in place.journal() if entry["event"] == "hop"]
        assert len(hops) == bool(expected)
        assert place.locks() == []


def test_a_run_stops_after_its_plan(place: Place) -> None:
    place.says(*HOOKS)
    done = place.run(upgrade_hooks_dir="hooks", upgrade_stop_after="plan")
    assert done.returncode == 0, done.stdout
    assert [words[0] for words in place.said()] == ["pre_run", "post_run"]
    assert place.report()["result"] == "stopped"
    assert "control plane c1, c2; workers w1, w2" in place.report()["stop"]["message"]
    assert "hop" not in [entry["event"] for entry in place.journal()]
    assert place.locks() == []
