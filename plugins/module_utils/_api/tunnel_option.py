# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The argument spec of ssh_tunnel, apart from the tunnel: a task without one does not have to load it."""

from __future__ import annotations

import typing as t

SSH_PORT = 22

TUNNEL_OPTION: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": SSH_PORT},
        "user": {"type": "str"},
        # The path of a key is no secret, and a host key is public.
        "key_file": {"type": "path", "no_log": False, "aliases": ["private_key_file"]},
        "key_passphrase": {"type": "str", "no_log": True},
        "known_hosts": {"type": "path"},
        "host_key": {"type": "str", "no_log": False},
        "connect_timeout": {"type": "int", "default": 10},
    },
    "mutually_exclusive": [["known_hosts", "host_key"]],
    "required_by": {"key_passphrase": ["key_file"]},
}
