#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_info
short_description: Read what a Kubernetes upgrade needs to know of a kubeadm node
version_added: 0.1.0
description:
  - Reads versions, packages, static pods, kubelet flags and configuration, runtime, disk, certificates and the like
    from the node that it runs on, and changes nothing.
  - Everything but RV(info.static_pod_edits) comes from files and from the programs that are installed on the node, so
    it works on a node whose control plane is down.
  - What a node does not have is empty in the result. A worker has no static pods, for example.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: This module changes nothing.
  diff_mode:
    details: This module changes nothing.
  idempotent:
    details: This module changes nothing.
requirements:
  - root on the node, since keys and kubeconfigs lie beside what is read
  - Python 3.9 or newer on the node, and nothing beyond its standard library
options:
  root:
    description:
      - The folder that holds the node's file system.
      - Something else than V(/) reads a mounted or copied file system. The running kubelet is not seen then.
    type: path
    default: /
  asked_at:
    description:
      - The clock of the controller as the task is handed out, in seconds since the epoch.
      - With it M(evergreen.kubeadm.skew_check) finds a node whose clock is behind, since the node cannot be read before
        it was asked. Hosts are read at different moments, so that their clocks alone prove nothing.
    type: float
    version_added: 0.1.0
  patches:
    description:
      - The folder on the node with the patches that C(kubeadm) will be given, so that M(evergreen.kubeadm.skew_check)
        knows which settings of the kubelet and of the static pods they keep.
    type: path
    version_added: 0.2.0
seealso:
  - module: evergreen.kubeadm.kubeadm_upgrade
  - module: evergreen.kubeadm.skew_check
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Read the node
  evergreen.kubeadm.kubeadm_info:
    asked_at: "{{ now().timestamp() }}"
  become: true
  register: node

- name: Show certificates that expire within 30 days
  ansible.builtin.debug:
    msg: "{{ node.info.certificates | selectattr('days_left', 'lt', 30) | map(attribute='path') }}"
"""

RETURN = r"""
info:
  description: The node.
  type: dict
  returned: success
  contains:
    node_name:
      description:
        - Name of the Node object, from the subject of the kubelet's client certificate, else the host name.
      type: str
      returned: success
      sample: cp1
    hostname:
      description: Host name of the machine.
      type: str
      returned: success
      sample: cp1
    role:
      description: V(control_plane) or V(worker).
      type: str
      returned: success
      sample: control_plane
    kubeadm:
      description: The installed C(kubeadm), as RV(info.kubectl).
      type: dict
      returned: success
      sample: {"version": "1.35.4", "package": {"version": "1.35.4-1.1", "held": true, "held_by": "dpkg"}}
    kubectl:
      description: The installed C(kubectl).
      type: dict
      returned: success
      sample: {"version": "1.35.4", "package": {"version": "1.35.4-1.1", "held": true, "held_by": "dpkg"}}
      contains:
        version:
          description: What the program says. Empty where it is not installed.
          type: str
          returned: success
          sample: 1.35.4
        package:
          description: RV(info.packages) of this name. Null where it came from no package.
          type: dict
          returned: success
          sample: {"version": "1.35.4-1.1", "held": true, "held_by": "dpkg"}
    kubelet:
      description: The kubelet.
      type: dict
      returned: success
      contains:
        version:
          description: Version of the installed program.
          type: str
          returned: success
          sample: 1.35.4
        package:
          description: As in RV(info.kubectl).
          type: dict
          returned: success
          sample: {"version": "1.35.4-1.1", "held": true, "held_by": "dpkg"}
        running:
          description: Whether its process was found.
          type: bool
          returned: success
          sample: true
        running_version:
          description: Version of the running process, which lags behind the installed one until it is restarted.
          type: str
          returned: success
          sample: 1.34.4
        running_since:
          description: When the process started, UTC. Empty where it does not run.
          type: str
          returned: success
          sample: "2026-01-31T12:00:00.000Z"
        started_epoch:
          description: The same in seconds since the epoch. Null where it does not run.
          type: float
          returned: success
          sample: 1769860800.0
        flags:
          description: >-
            Flags from kubeadm-flags.env, /etc/default/kubelet, /etc/sysconfig/kubelet, systemd units and the files that
            these name in C(EnvironmentFile=).
          type: list
          elements: dict
          returned: success
          sample: [{"name": "node-ip", "value": "192.0.2.11", "file": "/etc/default/kubelet", "line": 1}]
        empty_variables:
          description: Variables in those files that are set to nothing. kubeadm 1.35.0 fails on one of them.
          type: list
          elements: str
          returned: success
          sample: []
        kubeadm_flags_file:
          description: >-
            How kubeadm-flags.env begins. V(args) is C(KUBELET_KUBEADM_ARGS=), V(other) is anything else, V(missing) is
            no file. kubeadm 1.35 fails on the last two.
          type: str
          returned: success
          sample: args
        config:
          description: The contents of /var/lib/kubelet/config.yaml, without HTTP headers.
          type: dict
          returned: success
          sample: {"cgroupDriver": "systemd", "staticPodPath": "/etc/kubernetes/manifests", "syncFrequency": "0s"}
        drop_ins:
          description: What the files of its C(--config-dir) lay over that, together. A null takes a setting away.
          type: dict
          returned: success
          sample: {"maxPods": 250}
        patches:
          description: The patches of its configuration in O(patches), in the order in which kubeadm applies them.
          type: list
          elements: dict
          returned: success
          sample: [{"type": "strategic", "patch": {"maxPods": 250}}]
        manager_states:
          description:
            - The policies that its CPU and memory managers keep in C(/var/lib/kubelet/cpu_manager_state) and
              C(memory_manager_state), by the settings that they come from. It does not start with another one.
          type: dict
          returned: success
          sample: {"cpuManagerPolicy": "none", "memoryManagerPolicy": "None"}
        config_written:
          description: When config.yaml was last written, seconds since the epoch, 0 where there is none.
          type: float
          returned: success
          sample: 1769860800.0
        instance_config:
          description: The contents of /var/lib/kubelet/instance-config.yaml.
          type: dict
          returned: success
          sample: {"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock"}
        instance_config_present:
          description: Whether that file exists.
          type: bool
          returned: success
          sample: true
        client_cn:
          description: Common name of its client certificate, V(system:node:) and the node's name.
          type: str
          returned: success
          sample: system:node:cp1
        client_o:
          description: Organizations of its client certificate.
          type: list
          elements: str
          returned: success
          sample: ["system:nodes"]
    admin_conf:
      description: Whether /etc/kubernetes/admin.conf is there, which kubeadm needs on a control-plane node.
      type: bool
      returned: success
      sample: true
    kubelet_conf_server:
      description: The API server that the kubelet's kubeconfig names.
      type: str
      returned: success
      sample: https://192.0.2.11:6443
    static_pods:
      description: kubeadm's own manifests by component.
      type: dict
      returned: success
      sample:
        kube-scheduler:
          file: /etc/kubernetes/manifests/kube-scheduler.yaml
          name: kube-scheduler
          image: registry.k8s.io/kube-scheduler:v1.35.4
          tag: v1.35.4
          flags: {"leader-elect": "true"}
          api_references: []
          error: ""
    static_pod_edits:
      description:
        - What the manifests in RV(info.static_pods) have otherwise than the installed C(kubeadm) writes them in a dry
          run, with the ConfigMap C(kubeadm-config) and the patches in O(patches).
        - Null on a worker, and where O(root) is not V(/).
      type: dict
      returned: success
      contains:
        error:
          description: Why this is not known. Empty where it is.
          type: str
          returned: success
          sample: ""
        pods:
          description:
            - Names of settings by component. C(added) are in the manifest alone, C(removed) in what C(kubeadm) writes
              alone, C(changed) have another value. No value is told.
            - Components without any are not in it. The tags of images, C(--emulated-version), and what C(kubeadm join)
              gives etcd alone do not count.
          type: dict
          returned: success
          sample: {"kube-scheduler": {"added": ["--v", "environment GOGC"], "changed": [], "removed": []}}
    proxy_variables:
      description:
        - The names of the proxy variables in the environment of this task, in which C(kubeadm) would be started as
          well, and of those that kubeadm copied into the static pods of the control plane. Empty ones do not count.
        - C(differing) are those in both whose values differ. No value is told.
      type: dict
      returned: success
      sample: {"environment": [], "static_pods": ["HTTPS_PROXY", "NO_PROXY"], "differing": []}
    foreign_manifests:
      description: Every other file that the kubelet reads in the same folder, in the same shape.
      type: list
      elements: dict
      returned: success
      sample: []
    etcd:
      description: etcd, as a static pod of this node or external.
      type: dict
      returned: success
      contains:
        present:
          description: Whether there is one.
          type: bool
          returned: success
          sample: true
        external:
          description: The C(--etcd-servers) of the node's kube-apiserver where the node has no static pod of etcd.
          type: list
          elements: str
          returned: success
          sample: []
        data_dir:
          description: Its data directory. Empty where there is none.
          type: str
          returned: success
          sample: /var/lib/etcd
        db_bytes:
          description: Size of its database file.
          type: int
          returned: success
          sample: 25165824
    container_runtime:
      description: The container runtime.
      type: dict
      returned: success
      contains:
        name:
          description: V(containerd), V(cri-o) or empty.
          type: str
          returned: success
          sample: containerd
        version:
          description: Version of the installed program.
          type: str
          returned: success
          sample: 2.1.4
        socket:
          description: Its endpoint.
          type: str
          returned: success
          sample: unix:///run/containerd/containerd.sock
        sandbox:
          description:
            - The image of the pods' sandboxes. Null where there is no runtime to ask.
            - C(pinned) is whether the runtime reports it as pinned, so that the kubelet does not remove it; null where
              the image is not on the node, or there was no answer.
          type: dict
          returned: success
          sample: {"image": "registry.k8s.io/pause:3.10", "pinned": true}
        sockets:
          description: Which of the usual sockets of container runtimes are there.
          type: list
          elements: str
          returned: success
          sample: [/run/containerd/containerd.sock]
    packages:
      description: Installed packages that belong to Kubernetes and its container runtime.
      type: dict
      returned: success
      sample: {"kubelet": {"version": "1.35.4-1.1", "held": true, "held_by": "dpkg"}}
    package_manager:
      description: V(apt), V(dnf), V(yum), V(zypper) or empty.
      type: str
      returned: success
      sample: apt
    repositories:
      description:
        - Package repositories of Kubernetes that the node has, from the sources of apt, dnf, yum and zypper. User names
          and passwords in an address are left out.
      type: list
      elements: dict
      returned: success
      contains:
        file:
          description: The file that names it.
          type: str
          returned: success
          sample: /etc/apt/sources.list.d/kubernetes.list
        url:
          description: Its address.
          type: str
          returned: success
          sample: https://pkgs.k8s.io/core:/stable:/v1.35/deb/
        enabled:
          description: Whether it is in use.
          type: bool
          returned: success
          sample: true
        minor:
          description: The minor that it is for. Empty where the address does not tell.
          type: str
          returned: success
          sample: "1.35"
        legacy:
          description: Whether it is apt.kubernetes.io or yum.kubernetes.io, which ended in March 2024.
          type: bool
          returned: success
          sample: false
        keys:
          description:
            - The OpenPGP keys that it trusts, as far as they lie in files. C(expires) is empty where a key never does.
          type: list
          elements: dict
          returned: success
          sample:
            - file: /etc/apt/keyrings/kubernetes-apt-keyring.asc
              fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436
              expires: "2026-12-29T14:59:44Z"
              revoked: false
    package_sources_error:
      description: Why apt cannot read its own sources. Empty where it can, and without apt.
      type: str
      returned: success
      sample: ""
    cgroup_version:
      description: V(1) or V(2), as the kubelet sees it.
      type: int
      returned: success
      sample: 2
    swap_on:
      description: Whether any swap is in use.
      type: bool
      returned: success
      sample: false
    kernel:
      description: Release of the running kernel.
      type: str
      returned: success
      sample: 6.1.0-40-amd64
    kernel_config:
      description: Whether its configuration is in one of the places where kubeadm looks for it.
      type: bool
      returned: success
      sample: true
    architecture:
      description: Machine type.
      type: str
      returned: success
      sample: x86_64
    os:
      description: From os-release.
      type: dict
      returned: success
      sample: {"id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"}
    disk:
      description:
        - File systems by the path that matters. Paths with the same C(device) share their space.
        - C(free_bytes) and C(inodes_free) are what an unprivileged process may still use.
      type: dict
      returned: success
      sample:
        /var/lib/etcd:
          total_bytes: 53687091200
          free_bytes: 32212254720
          inodes_free: 3276800
          inodes_total: 3407872
          device: 2049
    certificates_dir:
      description: >-
        The C(certificatesDir) of kubeadm, as the flags of the static pods tell it; on a worker, the folder of the CA
        that the kubelet trusts.
      type: str
      returned: success
      sample: /etc/kubernetes/pki
    certificates:
      description: Certificates of the control plane and the kubelet, without their keys.
      type: list
      elements: dict
      returned: success
      sample:
        - path: /etc/kubernetes/pki/apiserver.crt
          subject_cn: kube-apiserver
          not_after: "2027-01-31T12:00:00.000Z"
          days_left: 364
    external_ca:
      description: Whether the cluster's CA certificate is here without its key, so that kubeadm cannot renew what it
        signed. None on workers.
      type: bool
      returned: success
      sample: false
    ca_keys_missing:
      description:
        - Certificate authorities of kubeadm whose certificate is here without its key, of V(ca), V(front-proxy-ca) and
          V(etcd/ca). kubeadm cannot renew what they signed, and renews the other certificates.
        - V(etcd/ca) counts where etcd is a static pod of the node. None on workers, which never have a key.
      type: list
      elements: str
      returned: success
      sample: ["etcd/ca"]
    kubeadm_tmp_bytes:
      description: Size of what earlier upgrades left in /etc/kubernetes/tmp.
      type: int
      returned: success
      sample: 26214400
    kubeadm_tmp:
      description: The names in that folder.
      type: list
      elements: str
      returned: success
      sample: ["kubeadm-backup-etcd-2026-01-31-12-00-00"]
    time:
      description: The node's clock, seconds since the epoch.
      type: float
      returned: success
      sample: 1769860800.0
    clock:
      description: What is known of that clock.
      type: dict
      returned: success
      contains:
        synchronised:
          description: Whether the kernel holds its clock for synchronised, by NTP or PTP. Null where it does not tell.
          type: bool
          returned: success
          sample: true
        max_error_s:
          description: By how many seconds the clock may be wrong, as the kernel reckons. Null where it does not tell.
          type: float
          returned: success
          sample: 0.0215
        asked_at:
          description: O(asked_at). Null where it was not given.
          type: float
          returned: success
          sample: 1769860799.2
started:
  description: When the module began, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.312Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 0.312
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.info import collect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node


def read_node(module: AnsibleModule) -> dict[str, t.Any]:
    info = collect(
        Node(Path(module.params["root"])), asked_at=module.params["asked_at"], patches=module.params["patches"] or ""
    )
    return {
        "changed": False,
        "info": info,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "asked_at": {"type": "float"},
            "patches": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run_module(module, read_node, timed=True)


if __name__ == "__main__":
    main()
