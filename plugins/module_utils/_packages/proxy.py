# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The proxy that apt is configured with, for what this collection fetches itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_DUMP = ("apt-config", "dump", "--format", "%f=%v%n", "Acquire::http", "Acquire::https")
_DUMP_S = 10.0


def variables(dump: str, url: str) -> dict[str, str]:
    """Variables of the environment that say of `url` what apt's configuration says (apt-transport-http(1))."""
    parts = urlsplit(url)
    host, settings = parts.hostname or "", dict(line.split("=", 1) for line in dump.splitlines() if "=" in line)
    # Without one of its own, https has the proxy of http.
    for scheme in ("https", "http") if parts.scheme == "https" else ("http",):
        proxy = settings.get(f"Acquire::{scheme}::Proxy::{host}") or settings.get(f"Acquire::{scheme}::Proxy")
        if proxy:
            return {"no_proxy": host} if proxy == "DIRECT" else {f"{parts.scheme}_proxy": proxy}
    return {}


@contextmanager
def that_of_apt(url: str) -> t.Iterator[None]:
    """This process asks `url` as apt would. What apt has no proxy for is left to the environment."""
    program, said = shutil.which(_DUMP[0]), b""
    if program is not None:
        with suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run(
                [program, *_DUMP[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=_DUMP_S, check=False
            ).stdout
    before = dict(os.environ)
    os.environ.update(variables(said.decode("utf-8", "replace"), url))
    try:
        yield
    finally:
        # What is run afterwards asks others as well.
        os.environ.clear()
        os.environ.update(before)
