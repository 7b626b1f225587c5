# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flags that a kubelet has for a time: the files, and when it may be restarted."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubelet_flags import decisions

HELP = """\
Usage:
  kubelet [flags]

      --sync-frequency duration     Max period between synchronizing (default 1m0s) (DEPRECATED)
      --file-check-frequency duration   Duration between checking config files (default 20s)
  -v, --v Level                     number for the log level verbosity
"""
QUICK = ["--file-check-frequency=1s", "--sync-frequency=1s"]


def test_words() -> None:
    assert decisions.words({"sync-frequency": "1s", "file-check-frequency": "1s"}) == QUICK
    assert decisions.words({"v": "4"}) == ["-v=4"]


def test_split() -> None:
    assert decisions.split([*QUICK, "-v=4", "--gone=1"], HELP) == ([*QUICK, "-v=4"], ["gone"])
    assert decisions.split(QUICK, "") == ([], ["file-check-frequency", "sync-frequency"])


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/usr/bin/kubelet", "--config=x", *QUICK], True),
        (["/usr/bin/kubelet", "--config=x"], False),
        (["/usr/bin/kubelet", QUICK[0]], False),
        (["/usr/bin/kubelet", *QUICK, "--sync-frequency=1m"], False),
        (["/usr/bin/kubelet", "--sync-frequency=1m", *QUICK], True),
        ([], False),
    ],
)
def test_in_use(command: list[str], expected: bool) -> None:
    assert decisions.in_use(command, QUICK) is expected


@pytest.mark.parametrize("base", ["", "--node-ip=192.0.2.11", "  --v=2  ", '--x="a\\b"'])
def test_what_is_added_can_be_told_again(base: str) -> None:
    text = decisions.environment(base, QUICK)
    assert text.startswith('KUBELET_EXTRA_ARGS="')
    assert decisions.added(text, base) == QUICK


def test_nothing_is_added_by_no_file() -> None:
    assert decisions.added("", "") == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (b"PATH=/bin\0KUBELET_EXTRA_ARGS=--v=2 --node-ip=192.0.2.11\0HOME=/\0", "--v=2 --node-ip=192.0.2.11"),
        (b"PATH=/bin\0", ""),
        (b"", ""),
    ],
)
def test_variable(environ: bytes, expected: str) -> None:
    assert decisions.variable(environ) == expected


@pytest.mark.parametrize(
    ("running", "installed", "said"),
    [
        ("1.34.4", "1.34.4", ""),
        ("1.34.4", "1.35.4", "would change its version"),
        ("1.34.4", "", "none is installed"),
        ("", "1.34.4", "No kubelet runs"),
    ],
)
def test_hindrance(running: str, installed: str, said: str) -> None:
    hindrance = decisions.hindrance(running, installed)
    assert said in hindrance
    assert bool(hindrance) == bool(said)


@pytest.mark.parametrize(
    ("own", "configured", "verbosity", "expected"),
    [
        ([], "", 5, [*QUICK, "-v=5"]),
        ([], "", 0, QUICK),
        (["--v=2"], "", 5, [*QUICK, "-v=5"]),
        (["-v", "2"], "", 5, [*QUICK, "-v=5"]),
        (["--v=5"], "", 5, QUICK),
        (["--v=7"], "", 5, QUICK),
        ([], "2", 5, [*QUICK, "-v=5"]),
        ([], "7", 5, QUICK),
        # A flag overrides the configuration.
        (["--v=2"], "7", 5, [*QUICK, "-v=5"]),
        (["--v=7"], "2", 5, QUICK),
    ],
)
def test_the_level_of_the_log_is_raised(own: list[str], configured: str, verbosity: int, expected: list[str]) -> None:
    command = ["/usr/bin/kubelet", "--config=x", *own]
    assert decisions.raised(QUICK, verbosity, command, configured) == expected
    assert decisions.raised(expected, verbosity, command, configured) == expected


def test_another_level_takes_the_place_of_the_first() -> None:
    assert decisions.raised([*QUICK, "-v=8"], 5, ["/usr/bin/kubelet"]) == [*QUICK, "-v=5"]


@pytest.mark.parametrize(
    ("command", "added", "expected"),
    [
        (["kubelet", "--v=2", *QUICK, "-v=5"], [*QUICK, "-v=5"], ["kubelet", "--v=2"]),
        # It is written and the kubelet does not run with it yet.
        (["kubelet", "--v=2"], ["-v=5"], ["kubelet", "--v=2"]),
        (["kubelet", "-v=5"], [], ["kubelet", "-v=5"]),
        (["kubelet", "-v=5", "-v=5"], ["-v=5"], ["kubelet", "-v=5"]),
        ([], ["-v=5"], []),
    ],
)
def test_a_command_line_without_what_was_added(command: list[str], added: list[str], expected: list[str]) -> None:
    assert decisions.without(command, added) == expected
