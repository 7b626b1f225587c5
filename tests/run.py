# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the tests, or the parts that are named, and print how many checks passed and failed.

A part that fails does not stop those after it. The last line is
`N passed, N failed`; the exit status is 0 when something ran and all of it passed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from runner.parts import PARTS, SUBSETS
from runner.project import say
from runner.results import Outcome, duration, summary


def main() -> int:
    """Run the parts that the command line names, all when it names none."""
    parser = argparse.ArgumentParser(description="Run the tests of evergreen.kubeadm.")
    known = {**PARTS, **SUBSETS}
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"any of: {', '.join(known)} (default: {', '.join(PARTS)})"
    )
    wanted = parser.parse_args().parts or list(PARTS)
    unknown = [part for part in wanted if part not in known]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")

    outcomes: dict[str, Outcome] = {}
    for number, part in enumerate(dict.fromkeys(wanted), start=1):
        say(f"\n==== {part} (part {number} of {len(set(wanted))})")
        began = time.monotonic()
        try:
            outcome = known[part]()
        except KeyboardInterrupt:
            outcome = Outcome(failures=["interrupted"])
        except (Exception, SystemExit):
            traceback.print_exc()
            outcome = Outcome(failures=["the test runner itself failed, see above"])
        outcome.seconds = time.monotonic() - began
        outcomes[part] = outcome
        say(f"==== {part}: {outcome.passed} passed, {outcome.failed} failed in {duration(outcome.seconds)}")
        if outcome.failures == ["interrupted"]:
            break

    lines, well = summary(outcomes)
    say("\n" + "\n".join(lines))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
