# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The steps of a restore on one node. Each is judged by what is there, so it can be run again wherever it was cut."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    etcdutl,
    observe,
    packing,
    part_file,
    programs,
    snapshot_file,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.etcdutl import Membership
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import directories, notes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.inspecting import EtcdPod, Paths, read_etcd
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import (
    FINISHED,
    PREPARED,
    PROVEN,
    SWAPPED,
    JsonDict,
    Note,
)

_POLL_S = 0.5


@dataclass(frozen=True)
class Order:
    """Which restore this is: what `decisions.plan` decided for all nodes."""

    token: str
    path: str
    """The snapshot on this node; not needed after the first step."""
    initial_cluster: str
    bump_revision: int
    reserve: int
    """Bytes that have to stay free."""


def where(pod: EtcdPod, token: str) -> directories.Places:
    data_dir = pod.access.data_dir
    return directories.places(data_dir, token, mounted=os.path.ismount(data_dir))


def prepare(order: Order, paths: Paths, deadline: Deadline, *, check_mode: bool) -> JsonDict:
    """Make the new data beside the old, which goes on serving."""
    note = notes.read(paths.state)
    if notes.reached(note, order.token, PREPARED):
        return _result(note, changed=False)
    pod = read_etcd(paths)
    _require_member(order, pod)
    if check_mode:
        return _result(note, changed=True)
    places = where(pod, order.token)
    with packing.plain(order.path, _beside(order.path), order.reserve) as plain:
        verified = snapshot_file.verify(plain)
        contents = verified.contents
        if contents is None or not verified.ok:
            said = ", ".join(f"{check.name} ({check.seen})" for check in verified.checks if not check.ok)
            raise EtcdError(f"The snapshot {order.path} must not be relied on: {said}. Nothing was changed.")
        part_file.require_space(os.path.dirname(places.new), 2 * verified.size, order.reserve, 0)
        program = programs.find("etcdutl", paths.etcdutl, pod.as_program_pod(), paths.programs)
        for path in (places.new, *directories.stale(places, order.token)):
            directories.discard(path)
        membership = Membership(pod.member, tuple(pod.peer_urls), order.initial_cluster, order.token)
        try:
            etcdutl.restore(program.path, plain, places.new, membership, order.bump_revision, deadline)
            os.chmod(places.new, 0o700)
            directories.sync_tree(places.new)
        except (EtcdError, OSError):
            directories.discard(places.new)
            raise
    note = Note(
        token=order.token,
        sha256=verified.sha256,
        snapshot=os.path.basename(order.path),
        initial_cluster=order.initial_cluster,
        step=PREPARED,
        started=utc_now(),
        aside=places.aside,
        expected_revision=contents.revision + order.bump_revision,
        keys=contents.keys,
    )
    return _result(notes.write(paths.state, note), changed=True)


def swap(order: Order, paths: Paths, *, check_mode: bool) -> JsonDict:
    """Put the new data in the place of the old. etcd must be stopped."""
    note = _note(order, paths, PREPARED)
    if notes.reached(note, order.token, SWAPPED):
        return _result(note, changed=False)
    places = where(read_etcd(paths), order.token)
    if check_mode:
        return _result(note, changed=bool(directories.decide(directories.look(places))))
    todo = directories.exchange(places)
    return _result(notes.write(paths.state, Note(**{**note, "step": SWAPPED})), changed=bool(todo))


def prove(order: Order, paths: Paths, deadline: Deadline, *, check_mode: bool) -> JsonDict:
    """Ask the member, before any API server does, whether it has what the snapshot had."""
    note = _note(order, paths, SWAPPED)
    if notes.reached(note, order.token, PROVEN) or check_mode:
        return _result(note, changed=False)
    access = read_etcd(paths).access
    client, _note_of_route = observe.open_client(access, {"route": "auto"})
    expected, keys = note["expected_revision"], note["keys"]
    while True:
        try:
            status = client.status(access.endpoint, deadline.clip(observe.REQUEST_S))
            counted = client.count(expected, deadline.clip(observe.REQUEST_S)) if status.revision >= expected else -1
            break
        except EtcdError as error:
            if deadline.expired():
                raise EtcdError(
                    f"The restored member did not answer within {deadline.seconds:g} s: {error.message}",
                    hint=f"See its log. The data from before the restore is in {note['aside']}.",
                ) from None
            deadline.sleep(_POLL_S)
    if counted != keys:
        raise EtcdError(
            f"The restored member is at revision {status.revision} and has {max(counted, 0)} keys at {expected}, where "
            f"{keys} were expected.",
            hint="Its data directory is not the one that was made of the snapshot. The API servers are still stopped, "
            f"and the data from before the restore is in {note['aside']}.",
        )
    return _result(notes.write(paths.state, Note(**{**note, "step": PROVEN})), changed=True)


def finish(order: Order, paths: Paths, *, check_mode: bool) -> JsonDict:
    """Forget what only the restore needed. The old data and the note of where it is stay."""
    note = _note(order, paths, PROVEN)
    changed = note.get("step") != FINISHED
    if changed and not check_mode:
        directories.discard(paths.programs)
        note = notes.write(paths.state, Note(**{**note, "step": FINISHED}))
    return _result(note, changed=changed)


def _beside(path: str) -> str:
    """Where the plain form of a packed snapshot is while it is needed."""
    return backup_names.split_packed(path)[0] + backup_names.PART


def _require_member(order: Order, pod: EtcdPod) -> None:
    """etcdutl would say this, too, but not which file is to be looked at."""
    for url in pod.peer_urls:
        if f"{pod.member}={url}" not in order.initial_cluster.split(","):
            raise EtcdError(
                f"This node's member {pod.member} with {url} is not in the new cluster {order.initial_cluster}.",
                hint="Plan the restore anew.",
            )


def _note(order: Order, paths: Paths, step: str) -> Note:
    """This restore's note. Raises EtcdError where it has not come to `step` here."""
    note = notes.read(paths.state)
    if not notes.reached(note, order.token, step):
        said = f"the note is of {note['token']} at {note.get('step')}" if note else "there is no note"
        raise EtcdError(
            f"The restore {order.token} has not been {step} on this node: {said}.",
            hint="Run the restore from its beginning.",
        )
    return note


def _result(note: Note, *, changed: bool) -> JsonDict:
    return {"changed": changed, "note": dict(note)}
