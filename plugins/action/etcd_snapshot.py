# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies a backup from its node to the controller; documented in plugins/modules/etcd_snapshot.py.

An action plugin, because only the controller has both ends. With privilege
escalation ansible.builtin.fetch holds a whole file in memory, several times
over and on both ends; without it, the user that logs in cannot read a backup.
So pieces are copied to a file of that user, one after the other, and fetched.
Every other state is the module's alone.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.evergreen.kubeadm.plugins.action.node_reached import ActionModule as NodeAction
from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import actions, backup_names, part_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import DirectoryLock, SnapshotBroken
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain, plain_text

STATE = "fetched"
PIECE = "evergreen-etcd-backup-piece"
MIB = 1 << 20
PIECE_MIB = 64
"""What a copy costs on the node's disk, and in memory where the connection has neither sftp nor scp."""


class ActionModule(NodeAction):
    """Fetches a backup where the state asks for it; runs the module otherwise."""

    def act(self, tmp: str | None, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        if self._task.args.get("state") != STATE:
            return super().act(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=actions.MODULE_SPEC)
        checksums = {plain_text(path): plain_text(sha256) for path, sha256 in plain(options["checksums"] or {}).items()}
        try:
            return self._fetch_all(checksums, os.path.abspath(options["directory"]), options)
        except EvergreenError as error:
            return {"failed": True, "changed": False, "msg": str(error), **error.result}

    def _fetch_all(self, checksums: dict[str, str], directory: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        if not checksums:
            raise EtcdError("No file is to be fetched.", hint="Set checksums to that of the result of state=saved.")
        wanted = {path: os.path.join(directory, _own_name(path)) for path in checksums}
        result = {"path": next(iter(wanted.values())), "files": list(wanted.values()), "checksums": {}}
        missing = [path for path, copy in wanted.items() if not _is_there(copy, checksums[path])]
        result["checksums"] = {copy: checksums[path] for path, copy in wanted.items()}
        if not missing or self._task.check_mode:
            return {**result, "changed": bool(missing)}
        reserve = options["min_free_mib"] * MIB
        try:
            make_folder(directory, 0o700)
        except OSError as error:
            raise EtcdError(f"The folder {directory} could not be made: {error.strerror}.") from None
        made = []
        with DirectoryLock(directory), self._piece() as piece:
            for name in backup_names.stale_parts(os.listdir(directory), ""):
                part_file.remove(os.path.join(directory, name))
            try:
                # The snapshot comes first in the list, and gets its name last.
                for path in reversed(missing):
                    part = wanted[path] + backup_names.PART
                    made.append(part)
                    # How long it takes is a matter of the network; a connection that is dead ends by itself.
                    blocks = self._blocks(path, piece, part + backup_names.PART)
                    written = part_file.write(part, blocks, reserve=reserve, deadline=Deadline(None))
                    _require(path, checksums[path], written.sha256, part)
                part_file.publish(made)
            except BaseException:
                for part in made:
                    part_file.remove(part)
                raise
        return {**result, "changed": True}

    @contextlib.contextmanager
    def _piece(self) -> t.Iterator[str]:
        """A file on the node that the user who logs in can read, and nobody else; its path."""
        folder = self._make_tmp_path()
        piece = self._connection._shell.join_path(folder, PIECE)
        others = shlex.quote(os.path.dirname(folder.rstrip("/"))) + f"/ansible-tmp-*/{PIECE}"
        # What a killed run left is as secret as what it copied.
        self._run(f"rm -f {others} && umask 77 && : > {shlex.quote(piece)}", "made", piece, sudoable=False)
        try:
            yield piece
        finally:
            # Where nothing can be reached any more, the next run removes it.
            with contextlib.suppress(AnsibleConnectionFailure, EtcdError):
                self._run(f"rm -f {shlex.quote(piece)}", "removed", piece, sudoable=False)
                self._remove_tmp_path(folder)

    def _blocks(self, path: str, piece: str, local: str) -> t.Iterator[bytes]:
        """The node's file `path`, fetched in pieces by way of the file `local`."""
        number = 0
        size = PIECE_MIB * MIB
        try:
            while size == PIECE_MIB * MIB:
                copy = f"dd if={shlex.quote(path)} of={shlex.quote(piece)} bs={MIB} count={PIECE_MIB}"
                self._run(f"{copy} skip={number * PIECE_MIB}", "read", path)
                self._fetch(piece, local)
                size = 0
                for block in part_file.read(local):
                    size += len(block)
                    yield block
                number += 1
        finally:
            part_file.remove(local)

    def _fetch(self, piece: str, local: str) -> None:
        before = os.umask(0o077)
        try:
            self._connection.fetch_file(piece, local)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            raise EtcdError(f"{piece} could not be fetched: {error}.") from None
        finally:
            os.umask(before)

    def _run(self, command: str, what: str, path: str, *, sudoable: bool = True) -> None:
        done = self._low_level_execute_command(command, sudoable=sudoable)
        if done["rc"] != 0:
            said = " ".join(f"{done['stderr']} {done['stdout']}".split())[-400:]
            raise EtcdError(f"{path} could not be {what} on the node: {said}.")


def _own_name(path: str) -> str:
    """The name of a copy. It is the node that says it, so only one that this collection gives is taken."""
    name = os.path.basename(path)
    if not path.startswith("/") or backup_names.own_name(name) is None:
        raise EtcdError(f"{path!r} is no file of a backup.", hint="Save it with directory in place of path.")
    return name


def _is_there(copy: str, sha256: str) -> bool:
    if not os.path.lexists(copy):
        return False
    try:
        found, _size = part_file.sha256_of(copy)
    except OSError as error:
        raise EtcdError(f"{copy} is there and could not be read: {error.strerror}.") from None
    if found != sha256:
        raise EtcdError(f"{copy} is there with other contents.", hint="Move it away; a copy is never overwritten.")
    return True


def _require(path: str, expected: str, received: str, part: str) -> None:
    """Raise SnapshotBroken where what came, or what is on the disk, is not what the node has proven."""
    on_disk, _size = part_file.sha256_of(part)
    for found, where in ((received, "came"), (on_disk, "is on the disk of the controller")):
        if found != expected:
            raise SnapshotBroken(f"The copy of {path} is damaged: SHA-256 {found} {where}, expected {expected}.")
