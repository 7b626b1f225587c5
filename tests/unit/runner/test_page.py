# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands of a page are run, and what is asked of them."""

from __future__ import annotations

import subprocess

import page
import pytest

TEXT = """\
# A page

```yaml
not: a command
```

```sh
a='x y'
echo "$a"
```

<!-- ends with 2 -->
```sh
true
(exit 2)
```

```sh
echo "still $a"
```
"""


def test_commands() -> None:
    assert page.commands(TEXT) == [
        ("a='x y'", 0),
        ('echo "$a"', 0),
        ("true", 0),
        ("(exit 2)", 2),
        ('echo "still $a"', 0),
    ]


def ran(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", page.script(page.commands(text))], capture_output=True, text=True, check=False)


def test_all_end_as_they_should() -> None:
    done = ran(TEXT)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "still x y"


@pytest.mark.parametrize("wrong", [TEXT.replace("(exit 2)", "(exit 1)"), TEXT.replace("```sh\ntrue", "```sh\nfalse")])
def test_one_does_not(wrong: str) -> None:
    done = ran(wrong)
    assert done.returncode == 1
    assert "of 5 ended with 1, not" in done.stdout
    assert "still" not in done.stdout.splitlines()[-1]
