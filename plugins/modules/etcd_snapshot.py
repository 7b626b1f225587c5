#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Save an etcd snapshot that is proven, prove one, or remove old ones
version_added: 0.1.0
description:
  - Saves a snapshot of etcd from this node's member, verifies it, and only then gives the file its name.
  - The snapshot streams to a C(.part) file with mode 0600 that is hashed on the way and synced to the disk. Then the
    file is read again - size, SHA-256, meta pages, every page of the tree - and its revision and count of keys are
    compared with those of the live member.
  - A run that fails or is killed leaves no file that looks like a snapshot. The next run removes the C(.part) that a
    killed one left.
  - The member has to be healthy, no learner and not behind the others. Where it is not, nothing is saved and the
    failure says why.
  - With O(state=pruned), removes old snapshots by count and by age, but never the newest one of a label that verifies.
  - Runs on a control-plane node as root. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._etcd
attributes:
  check_mode:
    details:
      - The member's health and the free space are really looked at.
      - Nothing is written, and RV(path) is the name that would be used at that moment.
      - What V(pruned) would remove is decided as in a real run, verification included.
  diff_mode:
    support: partial
    details: O(state=pruned) returns the names of the files before and after.
  idempotent:
    support: partial
    details:
      - V(saved) makes a new snapshot each time, so it is always changed.
      - V(verified) never changes anything.
      - V(pruned) changes nothing where nothing is to be removed.
options:
  state:
    description:
      - V(saved) saves a new snapshot.
      - V(verified) verifies the file O(path) as it is, and the archive of O(node_files) where it is beside it. Needs no
        etcd.
      - V(pruned) removes from O(directory) the snapshots that neither O(keep_last) nor O(keep_days) keeps, with what
        belongs to them. Needs no etcd.
      - Where anything is to be removed, V(pruned) verifies the snapshots of a label from the newest one on until one is
        proven. That one is kept whatever the rules say. Where none is, nothing of that label is removed and the task
        fails.
      - V(pruned) looks at regular files with names that this module chooses, and at nothing else in the folder. A
        snapshot that was saved with O(path) is left alone.
      - V(fetched) copies the files of O(checksums) from the host to O(directory) on the controller, in pieces, so that
        neither end needs memory or room for more than 64 MiB beside the copy. It works with and without privilege
        escalation. A copy gets its name when its SHA-256 on the disk is the one that was proven on the host, the
        snapshot last; a run that fails or is killed leaves nothing that looks like a backup.
    type: str
    choices: [saved, verified, pruned, fetched]
    default: saved
  checksums:
    description:
      - When O(state=fetched), the files on the host with their SHA-256, the snapshot first. It is RV(checksums) of
        O(state=saved).
    type: dict
  path:
    description:
      - The file. Required when O(state=verified).
      - What is compressed or encrypted has that behind its name. When O(state=saved), this is the name without it.
      - When O(state=saved), a file that exists is never overwritten.
    type: path
  directory:
    description:
      - Where V(saved) makes a file named C(etcd-LABEL-TIMESTAMP.db), with a UTC timestamp, when O(path) is not set.
      - Made with mode 0700 where it does not exist. It must not be in etcd's data directory.
      - When O(state=fetched), the folder on the controller. Where it is made, a C(.gitignore) keeps it out of Git.
    type: path
    default: /var/backups/etcd
  label:
    description:
      - The LABEL in the file's name, such as the name of the cluster. The name of the node when not set.
      - When O(state=pruned), the label whose snapshots are looked at. When not set, the snapshots of every label are,
        those of each label by themselves.
    type: str
  keep_last:
    description:
      - When O(state=pruned), how many of the newest snapshots of a label are kept.
      - A snapshot is kept where O(keep_last) or O(keep_days) keeps it. One of them has to be set.
    type: int
  keep_days:
    description: When O(state=pruned), how many days a snapshot is kept, by the timestamp in its name.
    type: float
  sha256:
    description: When O(state=verified), the SHA-256 that the whole file must have.
    type: str
  require_follower:
    description: Whether to refuse when this node's member leads, because a snapshot costs it disk and network.
    type: bool
    default: false
  max_index_gap:
    description: How many raft entries the member may be behind the newest that any member knows of.
    type: int
    default: 1000
  node_files:
    description:
      - Whether the rest of what a restore needs is saved beside the snapshot, as one archive named like the snapshot
        with C(.node.tar) behind it. It counts as part of the snapshot, which gets its name only when both are proven.
      - The archive holds the C(certificatesDir) of kubeadm with the keys of the CAs, the manifests of the static pods,
        the patches and the configuration in C(/etc/kubernetes), the kubelet's C(config.yaml), C(instance-config.yaml)
        and C(kubeadm-flags.env), and every file that the flags or the volumes of the static pods name, such as that of
        C(--encryption-provider-config).
      - Its first entry C(manifest.json) lists the files with SHA-256, mode and owner, the files that are named but not
        in it, the snapshot and the members of etcd. C(tar -x --strip-components=1 -C / files) puts the files back.
      - Who can read the archive owns the cluster for as long as its CAs are valid. It has mode 0600, and it is not a
        default for this reason.
      - The ConfigMaps C(kubeadm-config), C(kubelet-config) and C(kube-proxy) are in the snapshot.
      - What belongs into it and is not on the node, such as the key of an external CA, is a warning.
      - Nothing is saved where the C(certificatesDir), the manifest of kube-apiserver or the file with which Secrets are
        encrypted is missing.
    type: bool
    default: false
  compression:
    description:
      - How the files of the backup are compressed. V(gzip) puts C(.gz) behind their names.
      - A compressed snapshot is verified as any other. It is unpacked to a nameless file in its folder for that.
    type: str
    choices: [none, gzip]
    default: none
  age_recipients:
    description:
      - Public keys that the files of the backup are encrypted to by C(age), which puts C(.age) behind their names.
        Each is an C(age1) key, or an SSH key of type C(ssh-ed25519) or C(ssh-rsa). Do not name private keys.
      - C(age) has to be on the node. Where it is not, or refuses a key, nothing is saved.
      - The plain files are proven before they are encrypted, and removed after the encrypted ones are synced. Without
        the private key what is in those cannot be seen. A file with C(.json) behind the name of the snapshot keeps
        their hashes and what is known of the snapshot, without a secret. That is what O(state=verified) and
        O(state=pruned) go by, so the file has to stay beside them.
    type: list
    elements: str
  gpg_recipients:
    description:
      - Public keys that the files of the backup are encrypted to by C(gpg), as with O(age_recipients). It puts C(.gpg)
        behind their names.
      - Each is a whole fingerprint of a key in the keyring of the user on the node, or the absolute path of a file
        there with one public key. The keys are trusted because they are named.
    type: list
    elements: str
  root:
    description: The folder that holds the node's file system for O(node_files).
    type: path
    default: /
  min_free_mib:
    description:
      - MiB that must stay free on the file system after the save or the copy.
      - Looked at before the save and, except on the route V(etcdctl), while it goes on.
    type: int
    default: 256
  timeout_s:
    description:
      - Seconds for the whole save.
      - Except on the route V(etcdctl), the save also ends after 30 s without one byte.
    type: float
    default: 1800
seealso:
  - module: evergreen.kubeadm.etcd_member
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Save a snapshot of the stacked etcd of this node
  evergreen.kubeadm.etcd_snapshot:
    directory: /var/backups/etcd
    label: production
    node_files: true
  register: snapshot

- name: Save a backup that only the holder of a private key can read
  evergreen.kubeadm.etcd_snapshot:
    directory: /var/backups/etcd
    node_files: true
    compression: gzip
    age_recipients:
      - "{{ backup_public_key }}"

- name: Copy it to the controller
  evergreen.kubeadm.etcd_snapshot:
    state: fetched
    directory: /srv/backups
    checksums: "{{ snapshot.checksums }}"

- name: Prove that the copy elsewhere is the same file and whole
  evergreen.kubeadm.etcd_snapshot:
    state: verified
    path: "/srv/backups/{{ snapshot.path | basename }}"
    sha256: "{{ snapshot.sha256 }}"

- name: Keep the last 7 snapshots and those of the last 30 days
  evergreen.kubeadm.etcd_snapshot:
    state: pruned
    directory: /var/backups/etcd
    keep_last: 7
    keep_days: 30

- name: Save a snapshot of an external etcd
  evergreen.kubeadm.etcd_snapshot:
    endpoint: https://10.0.0.10:2379
    ca_cert: /etc/kubernetes/pki/etcd/ca.crt
    client_cert: /etc/kubernetes/pki/apiserver-etcd-client.crt
    client_key: /etc/kubernetes/pki/apiserver-etcd-client.key
"""

RETURN = r"""
path:
  description: The snapshot file.
  type: str
  returned: when O(state=saved) or O(state=verified)
  sample: /var/backups/etcd/etcd-production-20260131T120000123Z.db
sha256:
  description: SHA-256 of the whole file, as C(sha256sum) prints it. Empty in check mode.
  type: str
  returned: when O(state=saved) or O(state=verified)
  sample: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
plain_sha256:
  description:
    - SHA-256 of the snapshot itself, neither compressed nor encrypted. Empty in check mode.
    - When O(state=verified) and the file is encrypted, that of the snapshot that was encrypted.
  type: str
  returned: when O(state=saved) or O(state=verified)
  sample: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
size:
  description: Bytes of the file. In check mode, the most that it could be.
  type: int
  returned: when O(state=saved) or O(state=verified)
  sample: 21299232
revision:
  description: The store's revision in the file. In check mode, that of the member.
  type: int
  returned: when O(state=saved) or O(state=verified)
  sample: 48213
keys:
  description: Live keys in the file, counted as a member does. Null in check mode.
  type: int
  returned: when O(state=saved) or O(state=verified)
  sample: 1204
files:
  description: All files of the backup. They belong together. In check mode, those that there would be.
  type: list
  elements: str
  returned: when O(state=saved) or O(state=verified)
  sample:
    - /var/backups/etcd/etcd-production-20260131T120000123Z.db
    - /var/backups/etcd/etcd-production-20260131T120000123Z.db.node.tar
label:
  description: The LABEL in the name of the file, where O(path) does not name it.
  type: str
  returned: when O(state=saved)
  sample: production
checksums:
  description:
    - The SHA-256 of each of the files, the snapshot first. Empty in check mode.
    - When O(state=fetched), by the paths of the copies.
  type: dict
  returned: when O(state=saved) or O(state=fetched)
  sample:
    /backup/etcd-cp1-20260131T120000123Z.db: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
archive:
  description: The archive of the node's files, in check mode the one that there would be. Null where there is none.
  type: dict
  returned: when O(state=saved) or O(state=verified)
  contains:
    path:
      description: Its path.
      type: str
      sample: /var/backups/etcd/etcd-production-20260131T120000123Z.db.node.tar
    sha256:
      description: SHA-256 of the whole archive.
      type: str
      sample: 5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e60e
    size:
      description: Its bytes.
      type: int
      sample: 102400
    files:
      description: The files in it, by their paths on the node.
      type: list
      elements: str
      sample: [/etc/kubernetes/pki/ca.crt]
    left_out:
      description: What is named but not in it, with the reason, such as the key of an external CA.
      type: list
      elements: dict
      contains:
        path:
          description: What is not in it.
          type: str
          sample: /etc/kubernetes/pki/ca.key
        reason:
          description: Why not.
          type: str
          sample: it is not on this node
member:
  description: The member that the snapshot is from.
  type: dict
  returned: when O(state=saved)
  contains:
    id:
      description: Its id as etcd prints it, in hexadecimal.
      type: str
      sample: 8e9e05c52164694d
    name:
      description: Its name.
      type: str
      sample: cp1
    leader:
      description: Whether it led when the snapshot was taken.
      type: bool
      sample: false
    version:
      description: The version of its etcd.
      type: str
      sample: 3.6.5
etcd_version:
  description:
    - When O(state=saved), the version of the etcd that the snapshot is from.
    - When O(state=verified), the version of the storage that the file names, or of its cluster before etcd 3.6.
  type: str
  returned: when O(state=saved) or O(state=verified)
  sample: 3.6.5
storage_version:
  description: The version of the storage that the file names. Empty before etcd 3.6, and in check mode.
  type: str
  returned: when O(state=saved) or O(state=verified)
  sample: 3.6.0
route:
  description: The route that was taken, V(grpc), V(gateway) or V(etcdctl).
  type: str
  returned: when O(state=saved)
  sample: grpc
route_note:
  description: Why O(route=auto) did not take V(grpc). Empty where it did.
  type: str
  returned: when O(state=saved)
  sample: ""
removed:
  description:
    - When O(state=saved), files that killed saves had left and that were removed, or would be in check mode.
    - When O(state=pruned), the files that were removed, or would be in check mode, the oldest first.
  type: list
  elements: str
  returned: when O(state=saved) or O(state=pruned)
  sample: []
kept:
  description: The snapshots that stay, the newest first.
  type: list
  elements: dict
  returned: when O(state=pruned)
  contains: &backup
    path:
      description: The snapshot. The files that are really there are in C(files).
      type: str
      sample: /var/backups/etcd/etcd-production-20260131T120000123Z.db
    label:
      description: The label in its name.
      type: str
      sample: production
    taken:
      description: When it was taken, from its name.
      type: str
      sample: "2026-01-31T12:00:00.123Z"
    files:
      description: All of its files.
      type: list
      elements: str
      sample: [/var/backups/etcd/etcd-production-20260131T120000123Z.db]
    size:
      description: Bytes of all of its files.
      type: int
      sample: 21299232
    verified:
      description: Whether the snapshot verifies. Null where it was not looked at.
      type: bool
      sample: true
    reason:
      description: Why it is kept or removed.
      type: str
      sample: "keep_last=7: 0 newer, 0.1 days old"
pruned:
  description: The snapshots that were removed, or would be in check mode, the newest first.
  type: list
  elements: dict
  returned: when O(state=pruned)
  contains: *backup
freed:
  description: Bytes of the files that were removed, or would be in check mode.
  type: int
  returned: when O(state=pruned)
  sample: 21299232
mib_per_s:
  description: MiB a second of the transfer alone. Null in check mode.
  type: float
  returned: when O(state=saved)
  sample: 143.2
checks:
  description: Everything that was looked at. Also returned when one of them fails.
  type: list
  elements: dict
  returned: always, where it came to looking
  contains:
    name:
      description: What was looked at.
      type: str
      sample: digest
    ok:
      description: Whether it is as it must be.
      type: bool
      sample: true
    seen:
      description: The evidence.
      type: str
      sample: 20799 records, 1204 live keys
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:01.456Z"
duration_s:
  description: Seconds that it took, verification included.
  type: float
  returned: success
  sample: 1.333
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import actions


def run(module: AnsibleModule) -> dict[str, t.Any]:
    result = actions.STATES[module.params["state"]](module.params, module.check_mode)
    if module.params["state"] == "saved" and not module.check_mode:
        for warning in actions.warnings(result):
            module.warn(warning)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=actions.MODULE_SPEC,
        required_if=[
            ("state", "verified", ["path"]),
            ("state", "pruned", ["keep_last", "keep_days"], True),
            ("state", "fetched", ["checksums"]),
        ],
        mutually_exclusive=[("age_recipients", "gpg_recipients")],
        required_together=[("client_cert", "client_key")],
        supports_check_mode=True,
    )
    run_module(module, run, timed=True)


if __name__ == "__main__":
    main()
