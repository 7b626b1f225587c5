# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Journal, probe and report as a playbook uses them: real runs of ansible-playbook."""

from __future__ import annotations

import html.parser
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import look
from harness.process import wait_for

# Hosts that nothing can connect to: whatever needs a connection fails at once.
INVENTORY = """
all:
  vars:
    ansible_connection: ssh
    ansible_host: 127.0.0.1
    ansible_port: 1
    ansible_become: true
  children:
    kube_control_plane: {hosts: {cp1.example.org: {}, cp2.example.org: {}}}
    kube_node: {hosts: {w1.example.org: {}}}
"""

JOURNAL_TASKS = """
- hosts: all
  gather_facts: false
  vars:
    journal: "{{ artifacts }}/upgrade-journal.jsonl"
    wanted: 1.35.4
    known:
      - {name: cp1, role: control_plane, version: v1.34.4}
      - {name: cp2, role: control_plane, version: v1.34.4}
      - {name: "<img src=x>", role: worker, version: v1.34.4, host: w1.example.org}
  module_defaults:
    evergreen.kubeadm.upgrade_journal: {path: "{{ journal }}"}
  tasks:
    - evergreen.kubeadm.upgrade_journal:
        event: run_started
        data: {run_id: r-1, from: v1.34.4, to: "v{{ wanted }}", api_key: top-secret-value}
      run_once: true
    - evergreen.kubeadm.upgrade_journal:
        event: plan
        data: {hops: [], findings: "{{ found }}", nodes: "{{ known }}", movable_pods: "{{ 4 }}"}
      vars:
        found: [{id: x, severity: warning, subject: "<script>alert(1)</script>", evidence: "a & b", remedy: r}]
      run_once: true
    - evergreen.kubeadm.upgrade_journal: {event: step, name: "prepare {{ wanted }}"}
    - evergreen.kubeadm.upgrade_journal: {event: step, name: drain}
      register: begun
    - evergreen.kubeadm.upgrade_journal:
        event: evictions
        data:
          pods:
            - {namespace: shop, name: web-1, uid: u1, owner: Deployment/web, node: w1, evicted_at: now}
      run_once: true
    - evergreen.kubeadm.upgrade_journal: {event: step, status: finished}
      register: last
    - evergreen.kubeadm.upgrade_journal: {event: run_finished}
      run_once: true
      when: not cut | default(false)
    - ansible.builtin.assert:
        that:
          - last is not changed
          - last.entry.host == inventory_hostname
          - last.duration_s >= 0
          # How long the task took, and not the time since the step began.
          - last.duration_s < (last.finished | to_datetime(form) - begun.started | to_datetime(form)).total_seconds()
      vars: {form: "%Y-%m-%dT%H:%M:%S.%fZ"}
"""

REPORT_TASKS = """
- hosts: all
  gather_facts: false
  roles:
    - role: evergreen.kubeadm.report
      vars: {report_artifacts_dir: "{{ artifacts }}"}
"""


def environment() -> dict[str, str]:
    return {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_RETRY_FILES_ENABLED": "0"}


def play(tmp_path: Path, text: str, *arguments: str) -> str:
    """Run a playbook with the test's inventory; its output, and a failed test where it fails."""
    (tmp_path / "hosts.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "play.yml").write_text(text, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml"]
    done = subprocess.run(
        [*command, "-e", f"artifacts={tmp_path}/artifacts", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Page(html.parser.HTMLParser):
    """Which elements a page has, and whether each is closed."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.urls: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.urls += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_journal_and_report_of_a_run(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    output = play(tmp_path, JOURNAL_TASKS)
    assert "[DEPRECATION" not in output and "[WARNING" not in output
    text = (artifacts / "upgrade-journal.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == [
        "run_started",
        "plan",
        *["step"] * 6,
        "evictions",
        *["step"] * 3,
        "run_finished",
    ]
    assert lines[0]["data"] == {"run_id": "r-1", "from": "v1.34.4", "to": "v1.35.4", "api_key": "(hidden)"}
    assert lines[1]["data"]["movable_pods"] == 4
    assert sorted(line["host"] for line in lines[2:5]) == ["cp1.example.org", "cp2.example.org", "w1.example.org"]
    assert {line["name"] for line in lines[2:5]} == {"prepare 1.35.4"}

    assert "changed=0" in play(tmp_path, REPORT_TASKS)
    report = json.loads((artifacts / "upgrade-report.json").read_text(encoding="utf-8"))
    assert (report["result"], report["from"], report["to"]) == ("succeeded", "v1.34.4", "v1.35.4")
    assert [node["name"] for node in report["nodes"]] == ["cp1", "cp2", "<img src=x>"]
    assert all([step["name"] for step in node["steps"]] == ["prepare 1.35.4", "drain"] for node in report["nodes"])
    assert (report["evictions"]["pods"], report["evictions"]["total"], report["evictions"]["per_pod"]) == (4, 1, 0.25)

    text = (artifacts / "upgrade-report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.seen.isdisjoint({"script", "img", "link", "iframe"})
    assert page.urls == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "a &amp; b" in text


def test_a_run_that_was_cut_is_interrupted_and_the_next_begins_anew(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    play(tmp_path, JOURNAL_TASKS, "-e", "{cut: true}")
    with (artifacts / "upgrade-journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"time":"2026-01-31T12:00:00.000Z","ho')
    play(tmp_path, REPORT_TASKS)
    report = json.loads((artifacts / "upgrade-report.json").read_text(encoding="utf-8"))
    assert (report["result"], report["finished"], report["failure"]) == ("interrupted", None, None)
    assert "interrupted" in (artifacts / "upgrade-report.html").read_text(encoding="utf-8")
    cut = (artifacts / "upgrade-journal.jsonl").read_text(encoding="utf-8")
    play(tmp_path, JOURNAL_TASKS)
    assert (artifacts / "upgrade-journal.jsonl.1").read_text(encoding="utf-8") == cut


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    play(tmp_path, JOURNAL_TASKS, "--check")
    assert not (tmp_path / "artifacts").exists()
    play(tmp_path, JOURNAL_TASKS)
    before = sorted(path.name for path in (tmp_path / "artifacts").iterdir())
    play(tmp_path, REPORT_TASKS, "--check")
    assert sorted(path.name for path in (tmp_path / "artifacts").iterdir()) == before


TWICE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - evergreen.kubeadm.upgrade_report: &options
        journal: "{{ artifacts }}/upgrade-journal.jsonl"
        path: "{{ artifacts }}/upgrade-report.json"
      check_mode: true
      diff: true
      register: predicted
    - evergreen.kubeadm.upgrade_report: *options
      register: real
    - evergreen.kubeadm.upgrade_report: *options
      check_mode: true
      register: predicted_again
    - evergreen.kubeadm.upgrade_report: *options
      register: again
    - evergreen.kubeadm.upgrade_report:
        journal: "{{ artifacts }}/absent.jsonl"
        path: "{{ artifacts }}/other.json"
      register: absent
      ignore_errors: true
    - evergreen.kubeadm.upgrade_journal: {path: "{{ artifacts }}/journal", event: step}
      register: empty_step
      ignore_errors: true
    - ansible.builtin.assert:
        that:
          - predicted is changed and real is changed
          - predicted_again is not changed and again is not changed
          - predicted.report == real.report
          - predicted.diff == real.diff and predicted.diff.before == ''
          - absent is failed and 'absent.jsonl' in absent.msg
          - empty_step is failed and 'name' in empty_step.msg
"""


def test_the_report_is_idempotent_and_check_mode_predicts_it(tmp_path: Path) -> None:
    play(tmp_path, JOURNAL_TASKS)
    play(tmp_path, TWICE)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: t.Any) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


BACKGROUND = """
- hosts: localhost
  gather_facts: false
  tasks:
    - evergreen.kubeadm.availability_probe:
        api: false
        services: [{name: web, url: "{{ url }}"}]
        output: "{{ artifacts }}/upgrade-probe.jsonl"
        stop_file: "{{ artifacts }}/stop"
      async: 60
      poll: 0
      register: probe
    - ansible.builtin.pause: {seconds: 2}
    - ansible.builtin.copy: {content: "", dest: "{{ artifacts }}/stop", mode: "0644"}
    - ansible.builtin.async_status: {jid: "{{ probe.ansible_job_id }}"}
      register: seen
      until: seen is finished
      retries: 20
      delay: 0.5
    - ansible.builtin.assert:
        that:
          - seen is not changed
          - seen.ended_by == 'stop_file'
          - seen.targets['service/web'].requests >= 10
          - seen.targets['service/web'].failed == 0
    - evergreen.kubeadm.availability_probe:
        api: false
        services: [{name: web, url: "{{ url }}"}]
      check_mode: true
      register: checked
    - ansible.builtin.assert:
        that: [checked.ended_by == 'check_mode', checked is not changed]
"""


def test_the_probe_runs_in_the_background_of_a_play(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    with web() as url:
        play(tmp_path, BACKGROUND, "-e", f"url={url}")
    play(tmp_path, JOURNAL_TASKS)
    play(tmp_path, REPORT_TASKS)
    report = json.loads((tmp_path / "artifacts" / "upgrade-report.json").read_text(encoding="utf-8"))
    seen = report["availability"]["services"]["web"]
    assert seen["requests"] >= 10
    assert seen["failed"] == 0
    assert 0 < seen["longest_gap_s"] < 2
    assert not (tmp_path / "artifacts" / "stop").exists()


CONTROLLED = """
- hosts: all
  gather_facts: false
  tasks:
    - evergreen.kubeadm.upgrade_journal: {event: note}
      register: first
      run_once: true
    - evergreen.kubeadm.upgrade_journal: {event: note}
      register: second
    - ansible.builtin.assert:
        that: [first.controller.pid > 1, first.controller == second.controller, first.path == '']
"""


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["run", "check"])
def test_every_task_and_host_names_the_same_controller(tmp_path: Path, arguments: list[str]) -> None:
    play(tmp_path, CONTROLLED, *arguments)


KILLED = """
- hosts: localhost
  gather_facts: false
  tasks:
    - evergreen.kubeadm.upgrade_journal: {event: note}
      register: run
    - evergreen.kubeadm.availability_probe:
        api: false
        services: [{name: web, url: "{{ url }}"}]
        output: "{{ artifacts }}/upgrade-probe.jsonl"
        stop_file: "{{ artifacts }}/stop"
        controller: "{{ run.controller }}"
      async: 120
      poll: 0
    - ansible.builtin.copy:
        content: "{{ run.controller | to_json }}"
        dest: "{{ artifacts }}/controller.json"
        mode: "0644"
    - ansible.builtin.command: sleep 20
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_probe_of_a_killed_run_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    output, identity = artifacts / "upgrade-probe.jsonl", artifacts / "controller.json"
    (tmp_path / "play.yml").write_text(KILLED, encoding="utf-8")

    def lines() -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()] if output.exists() else []

    # A program that a shell has in its background ignores SIGINT, and so does what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with web() as url:
        process = subprocess.Popen(
            [
                *(str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "play.yml"),
                *(
                    "-e",
                    f"artifacts={artifacts}",
                    "-e",
                    f"url={url}",
                    "-e",
                    f"ansible_python_interpreter={sys.executable}",
                ),
            ],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for("the probe asks", lambda: len(lines()) >= 2 and identity.exists() and identity.stat().st_size)
            controller = json.loads(identity.read_text(encoding="utf-8"))
            assert controller["pid"] == process.pid
            assert look(controller) == "alive"
            process.send_signal(number)
            process.wait(20)
            ended = time.monotonic()
            assert look(controller) == "gone"
            wait_for("the probe ends", lambda: "end" in lines()[-1], timeout_s=10)
            assert time.monotonic() - ended < 2
        finally:
            (artifacts / "stop").touch()
            process.kill()
            process.wait()
    assert lines()[-1]["end"] == "controller"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_probe_with_its_result(tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "probe.jsonl"
    with web() as url:
        options = {"api": False, "services": [{"name": "web", "url": url}], "output": str(output), "duration_s": 60}
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible_collections.evergreen.kubeadm.plugins.modules.availability_probe"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdin
            process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
            process.stdin.close()
            process.stdin = None
            end = time.monotonic() + 20
            while not (output.exists() and output.read_text(encoding="utf-8")) and time.monotonic() < end:
                time.sleep(0.1)
            process.send_signal(number)
            result = json.loads(process.communicate(timeout=10)[0])
        finally:
            process.kill()
            process.wait()
    assert result["ended_by"] == "signal"
    assert result["targets"]["service/web"]["requests"] > 0
    last = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
    assert last["end"] == "signal"
