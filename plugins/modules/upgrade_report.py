#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_report
short_description: Compose the report of an upgrade run
version_added: 0.1.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Reads the journal that M(evergreen.kubeadm.upgrade_journal) wrote and the lines that
    M(evergreen.kubeadm.availability_probe) wrote, and makes one JSON document of them.
  - A run can have ended anywhere. A journal without an end gives a report with the result V(interrupted), and
    what the journal does not say is null.
  - Runs on the controller, where both files are.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: The report is composed and returned, and the file is not written.
  diff_mode:
    support: full
  idempotent:
    details: The same journal and lines give the same file.
options:
  journal:
    description:
      - The journal of the run.
      - Of a journal with several runs the newest is reported.
    type: path
    required: true
  probe_output:
    description:
      - The file of O(evergreen.kubeadm.availability_probe#module:output).
      - Where it is not given or does not exist, the report says that nothing was measured.
    type: path
  path:
    description:
      - Where the report goes. Its directory is made where it does not exist.
      - The file is replaced as a whole, so a reader never sees half of it.
    type: path
    required: true
seealso:
  - module: evergreen.kubeadm.upgrade_journal
  - module: evergreen.kubeadm.availability_probe
"""

EXAMPLES = r"""
- name: Compose the report
  evergreen.kubeadm.upgrade_report:
    journal: artifacts/upgrade-journal.jsonl
    probe_output: artifacts/upgrade-probe.jsonl
    path: artifacts/upgrade-report.json
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
path:
  description: The file of the report.
  returned: success
  type: str
  sample: /srv/upgrade/artifacts/upgrade-report.json
report:
  description: The report, as it is in the file.
  returned: success
  type: dict
  contains:
    result:
      description:
        - How the run ended, V(succeeded), V(partial), V(failed), V(interrupted), or V(stopped) where it was to stop
          after a stage.
        - V(partial) is a run that did all it was to do, except for nodes that it had set aside.
      type: str
      sample: succeeded
    from:
      description: The version that the cluster had.
      type: str
      sample: v1.34.4
    to:
      description: The version that was asked for.
      type: str
      sample: v1.35.4
    started:
      description: When the run began, RFC 3339 in UTC.
      type: str
      sample: "2026-01-31T12:00:00.123Z"
    finished:
      description: When the run ended; null where it was interrupted.
      type: str
      sample: "2026-01-31T12:06:40.456Z"
    duration_s:
      description: Seconds from the start to the end; to the last event where the run was interrupted.
      type: float
      sample: 400.333
    run_id:
      description: The name of the run.
      type: str
      sample: 20260131-1200
    hops:
      description: The hops that were begun, in order.
      type: list
      elements: dict
      contains:
        from:
          description: The version that the control plane came from.
          type: str
          sample: v1.34.4
        to:
          description: The version of the hop; the same where etcd alone was changed.
          type: str
          sample: v1.35.4
        etcd_image_tag:
          description: The etcd image that kubeadm was told to deploy; empty where it took its own.
          type: str
          sample: ""
        started:
          description: When it began.
          type: str
          sample: "2026-01-31T12:00:02.123Z"
        finished:
          description: When the next one began, or the run ended; null where it was interrupted.
          type: str
          sample: "2026-01-31T12:06:40.456Z"
        duration_s:
          description: Seconds between the two.
          type: float
          sample: 398.333
        evictions:
          description: The C(pods), C(total), C(per_pod) and C(minimum) of RV(report.evictions), of this hop alone.
          type: dict
          sample: {"pods": 12, "total": 14, "per_pod": 1.167, "minimum": 1.083}
    nodes:
      description:
        - The nodes, each with C(name), C(role), C(from), C(to) (the version that was seen on it afterwards, else null),
          C(restarts) (how often each of its static pods was started) and C(steps).
        - A step has C(name), C(started), C(finished), C(duration_s) and C(status), which is V(finished), V(failed),
          V(interrupted) or V(started).
      type: list
      elements: dict
      sample: [{"name": "cp1", "role": "control_plane", "from": "v1.34.4", "to": "v1.35.4",
        "restarts": {"kube-apiserver": 1}, "steps": []}]
    availability:
      description:
        - What the probe measured, C(api), C(clients) and C(services) by name, each with C(requests), C(failed),
          C(longest_gap_s), C(failures), the first 100 with C(time), C(error), C(message) and C(after_s),
          and C(failed_seconds), every second in which a request failed.
        - C(api) has the requests of all clients of the API, and the gap of the one with new connections. C(clients) has
          C(watch) and C(list) by themselves.
        - C(longest_gap_s) is the longest time without a good answer, in seconds; null where nothing was measured.
        - C(measured_until) is when the measurement ended, where that was before the end of the run; else null.
      type: dict
      sample: {"api": {"requests": 8000, "failed": 0, "longest_gap_s": 0.12}, "clients": {}, "services": {}}
    evictions:
      description:
        - C(total) pods were evicted; C(pods) could be moved at the start of the run, on the nodes that were drained;
          C(per_pod) is the one divided by the other; C(moves) lists the evicted pods with C(namespace), C(name),
          C(owner), C(node) and C(evicted_at).
        - Where the journal does not have the number of movable pods, C(pods) is that of the distinct pods evicted.
        - C(minimum) is the least C(per_pod) that an upgrade in place can have. In each hop the pods of the first worker
          move twice, unless a worker that is not drained can take them, and all others once. It is null where the
          journal does not have the movable pods of each node.
      type: dict
      sample: {"pods": 12, "total": 14, "per_pod": 1.167, "minimum": 1.083, "moves": []}
    findings:
      description: What was found before and during the run, as M(evergreen.kubeadm.skew_check) gives it.
      type: list
      elements: dict
      sample: []
    bypasses:
      description: Checks that the user had passed over, with C(name), C(reason) and C(value).
      type: list
      elements: dict
      sample: []
    failure:
      description:
        - For a failed run its C(host), C(step), C(message) and C(hint), with C(says), what the node itself says about
          it, and C(diagnostics), the folder with more of it, empty where there is none. Else null.
      type: dict
      sample: {"host": "worker1", "step": "drain", "message": "One pod is left.", "hint": "Look at its budget.",
        "says": [], "diagnostics": ""}
    set_aside:
      description:
        - The nodes that the run went on without, each with C(host), C(node), C(time), C(step), C(message), C(hint),
          C(says), C(diagnostics) and C(serving), which is whether it takes pods; null where nobody knows.
      type: list
      elements: dict
      sample: []
    stop:
      description: For a run that stopped its C(stage), and a C(message) with what is left; else null.
      type: dict
      sample: {"stage": "backup", "message": "Stopped after the stage backup of the hop 1.34.4 to 1.35.4."}
page:
  description: The texts and positions that the HTML page of the role P(evergreen.kubeadm.report#role) shows.
  returned: success
  type: dict
  sample: {"sentence": "The upgrade succeeded", "duration": "6 min 40 s"}
started:
  description: When the task began, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:06:41.000Z"
finished:
  description: When the task ended, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:06:41.020Z"
duration_s:
  description: How long the task took, in seconds.
  returned: success
  type: float
  sample: 0.02
"""

import json
import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import compose
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.page import page


def read_lines(path: str | None, *, what: str, required: bool) -> list[dict[str, t.Any]]:
    """The JSON lines of `path`; none where it is missing and not `required`."""
    try:
        return journal.read(path) if path else []
    except FileNotFoundError as error:
        if not required:
            return []
        raise EvergreenError(
            f"There is no {what} at {path}, so there is no run to report.",
            hint="Name the journal that the run wrote.",
        ) from error
    except OSError as error:
        raise EvergreenError(f"The {what} {path} cannot be read: {error}.") from error


def text_at(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvergreenError(f"The report {path} cannot be read: {error}.") from error


def replace_file(path: str, text: str) -> None:
    """Write a file beside `path`, synchronise it, and put it in the place of `path`."""
    directory = os.path.dirname(os.path.abspath(path))
    try:
        make_folder(directory)
        descriptor, partial = tempfile.mkstemp(dir=directory, prefix=".upgrade-report-")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
    except OSError as error:
        raise EvergreenError(f"The report {path} cannot be written: {error}.") from error


def report(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    events = read_lines(options["journal"], what="journal", required=True)
    if not events:
        raise EvergreenError(f"The journal {options['journal']} has no readable line, so there is no run to report.")
    lines = read_lines(options["probe_output"], what="output of the probe", required=False)
    made = compose(events, lines)
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    path = options["path"]
    before = text_at(path)
    if before != text and not module.check_mode:
        replace_file(path, text)
    return {
        "changed": before != text,
        "path": path,
        "report": made,
        "page": page(made),
        "diff": {"before": before or "", "after": text, "before_header": path, "after_header": path},
    }


BODY = ModuleBody(
    report,
    {
        "argument_spec": {
            "journal": {"type": "path", "required": True},
            "probe_output": {"type": "path"},
            "path": {"type": "path", "required": True},
        }
    },
    timed=True,
)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
