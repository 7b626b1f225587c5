# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module as Ansible does: its `main`, in a process of its own."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import typing as t

from ansible.module_utils.testing import patch_module_args

# Imported before the fork, so that not every run has to.
for library in ("kubernetes.client.rest", "kubernetes.config"):
    importlib.import_module(library)

MODULES = "ansible_collections.evergreen.kubeadm.plugins.modules"


def run_module(name: str, arguments: dict[str, t.Any], *, check_mode: bool = False) -> dict[str, t.Any]:
    """What the module prints as its result. A fork saves the second that its imports take."""
    module = importlib.import_module(f"{MODULES}.{name}")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            with os.fdopen(write, "w") as out:
                sys.stdout = out
                with patch_module_args({**arguments, "_ansible_check_mode": check_mode}):
                    module.main()
        except SystemExit:
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return t.cast("dict[str, t.Any]", json.loads(text))
