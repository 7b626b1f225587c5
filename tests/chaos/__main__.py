# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python tests/chaos``: one upgrade of the lab, with a fault at each of its steps."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FROM, TO = "1.34.4", "1.35.4"
RESULT = ROOT / "artifacts" / "chaos.json"
ARTIFACTS = ROOT / "artifacts" / "chaos"
Json = dict[str, t.Any]


def say(text: str) -> None:
    print(text, flush=True)


def write(result: Json) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def message_of(report_file: Path) -> str:
    """What the report of a run that failed names as its failure, and what the node itself said, on one line.

    Empty where there is no report.
    """
    if not report_file.exists():
        return ""
    report = json.loads(report_file.read_text(encoding="utf-8"))
    failure = report.get("failure") or {}
    return " ".join(" ".join([str(failure.get("message") or ""), *failure.get("says", [])]).split())


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Inject each fault, run again until the cluster is upgraded; 1 where anything is not as it must be."""
    sys.path[:1] = [str(path) for path in (ROOT / ".collections", ROOT, HERE.parent)]
    from chaos import proof
    from chaos.faults import AS_BEFORE, FAULTS
    from chaos.run import Run
    from lab import cluster, config

    parser = argparse.ArgumentParser(description="Faults in an upgrade of the lab.")
    parser.add_argument("--keep", action="store_true", help="go on with the lab that is there")
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[], help="faults whose names have these words")
    options = parser.parse_args(arguments)
    os.environ.update(LAB_KUBERNETES_VERSION=FROM, LAB_OFFERED_VERSIONS=TO)
    lab = config.load()
    if not options.keep:
        subprocess.run([sys.executable, "-m", "lab", "up", "--fresh"], cwd=ROOT, check=True)
    before = proof.look(lab)
    report = ARTIFACTS / "upgrade-report.json"
    began = time.monotonic()
    rows: list[Json] = []
    faults = [fault for fault in FAULTS if not options.only or any(word in fault.name for word in options.only)]
    for fault in faults:
        run = Run(TO, ARTIFACTS, fault.variables)
        # That of the run before must not be taken for this one's.
        report.unlink(missing_ok=True)
        say(f"{fault.name} ({fault.at})")
        ended = run.walk(fault.at, lambda process, fault=fault: fault.inject(lab, process))  # type: ignore[misc]
        # One that is killed writes none.
        message = message_of(report) if ended.rc > 0 else ""
        wrong = judge(fault, ended, message)
        if AS_BEFORE in message and (cordoned := proof.look(lab).cordoned):
            wrong = f"{wrong} Cordoned: {', '.join(cordoned)}.".strip()
        rows.append(
            {
                "fault": fault.name,
                "at": str(fault.at),
                "rc": ended.rc,
                "seconds": ended.seconds,
                "message": message,
                "wrong": wrong,
            }
        )
        say(f"  ended with {ended.rc} after {ended.seconds:.0f} s. {wrong or 'As it must be.'}")
        write({"faults": rows})
        fault.heal(lab)
        cluster.wait_api(lab)
    last = Run(TO, ARTIFACTS, {}).walk(None, None)
    cluster.wait_workloads(lab)
    left = proof.problems(lab, before, TO) + ([] if last.rc == 0 else [f"the last run ended with {last.rc}"])
    result: Json = {"faults": rows, "left": left, "seconds": round(time.monotonic() - began), "from": FROM, "to": TO}
    write(result)
    for line in left:
        say(f"NOT AS IT MUST BE: {line}")
    wrong_rows = [row["fault"] for row in rows if row["wrong"]]
    say(f"{len(rows) - len(wrong_rows)} of {len(rows)} faults as they must be; {RESULT}")
    return 1 if left or wrong_rows else 0


def judge(fault: t.Any, ended: t.Any, message: str) -> str:
    """What was not as it must be in the run with the fault; empty where all was."""
    if not ended.reached:
        return f"The step {fault.at} never came."
    if fault.survives != (ended.rc == 0):
        return f"It ended with {ended.rc}."
    if fault.says and not re.search(fault.says, message):
        return f"Its report does not say {fault.says}."
    return ""


if __name__ == "__main__":
    sys.exit(main())
