# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster gathers over the years, added to a new one: the profile ``field``.

Node names, the certificates' directory and the proxy's variables are given to
kubeadm itself (config.py); a worker that no upgrade is told of is in the
inventory's group ``lab_unmanaged``.
"""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import cluster
from lab.commands import LabError
from lab.machines import execute

if t.TYPE_CHECKING:
    from lab.config import Lab, Machine

OBJECTS = Path(__file__).parent / "field.yaml"
PATCHES = "/etc/kubernetes/patches"
TIMEOUT_S = 180.0

# The kubelet signed its own certificate when the node joined, for a year, and never again.
CERTIFICATES = """\
set -e
cd $(mktemp -d)
touch index
cat > ca.cnf <<END
[ca]
default_ca = old
[old]
database = index
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = names
[names]
commonName = supplied
END
openssl req -newkey rsa:2048 -nodes -keyout key -out request -subj "/CN=$1@1704103200" 2> /dev/null
openssl ca -batch -notext -config ca.cnf -selfsign -keyfile key -in request -out crt \
    -startdate 20240101100000Z -enddate 20250101100000Z 2> /dev/null
cd /var/lib/kubelet/pki
install -m 0600 "$OLDPWD/crt" kubelet.crt
install -m 0600 "$OLDPWD/key" kubelet.key
install -m 0600 "$OLDPWD/crt" kubelet.crt.bak
if [ -f "$2/apiserver.crt" ]; then
    install -m 0644 "$OLDPWD/crt" "$2/apiserver.crt.old"
    install -m 0644 "$OLDPWD/crt" "$2/front-proxy-client.crt.bak"
    install -m 0644 "$OLDPWD/crt" "$2/legacy-client.crt"
fi
systemctl restart kubelet
"""
# Written by another role, with a key of its own, for this minor and the next.
OTHER_SOURCE = """\
set -e
cd /etc/apt
curl --fail --silent --show-error --output keyrings/kubernetes.asc $1Release.key
rm sources.list.d/kubernetes.list keyrings/kubernetes-apt-keyring.gpg
cat > sources.list.d/kubernetes.sources <<END
Types: deb
URIs: $*
Suites: /
Signed-By: /etc/apt/keyrings/kubernetes.asc
END
apt-get update -q
"""
# A third party's repository that is no more.
DEAD_SOURCE = 'echo "deb [trusted=yes] $1 all main" > /etc/apt/sources.list.d/helm-stable-debian.list'
# A flag that somebody added by hand; where $1 is "patched", a patch brings it back.
API_SERVER = f"""\
set -e
if [ "$1" = patched ]; then
    cat > {PATCHES}/kube-apiserver0+json.yaml <<END
- {{op: add, path: /spec/containers/0/command/-, value: $2}}
END
fi
sed -i "s|^    - kube-apiserver$|&\\n    - $2|" /etc/kubernetes/manifests/kube-apiserver.yaml
"""
API_SERVER_FLAGS = {"patched": "--event-ttl=2h0m0s", "edited": "--max-requests-inflight=500"}
"""On the first control-plane node and on the second."""
KUBELET = """\
printf 'maxPods: 250\\nsystemReserved:\\n  cpu: 50m\\n  memory: 64Mi\\n' >> /var/lib/kubelet/config.yaml
systemctl restart kubelet
"""


def add(lab: Lab) -> None:
    """Add all of it to a cluster that is whole."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda machine: _sh(lab, machine, CERTIFICATES, machine.node_name, lab.certificates), lab.nodes))
    first, second = [worker for worker in lab.workers if worker.managed][:2]
    server = f"http://{lab.balancer.address}:8080"
    minors = dict.fromkeys([lab.release.minor, *(release.minor for release in lab.offered)])
    _sh(lab, first, OTHER_SOURCE, *(f"{server}/core:/stable:/v{minor}/deb/" for minor in minors))
    _sh(lab, second, DEAD_SOURCE, f"{server}/helm/stable/debian/")
    _sh(lab, first, KUBELET)
    _edit_api_servers(lab)
    _add_objects(lab)


def _sh(lab: Lab, machine: Machine, script: str, *words: str) -> None:
    execute(lab, machine, "sh", "-c", script, "sh", *words)


def _edit_api_servers(lab: Lab) -> None:
    for machine in lab.nodes:
        execute(lab, machine, "mkdir", "-p", PATCHES)
    for machine, (how, flag) in zip(lab.control_plane, API_SERVER_FLAGS.items(), strict=False):
        _sh(lab, machine, API_SERVER, how, flag)
        name = f"kube-apiserver-{machine.node_name}"
        deadline = time.monotonic() + TIMEOUT_S
        while flag not in cluster.kubectl(lab, "get", "pod", "-n", "kube-system", name, "-o", "yaml", check=False):
            if time.monotonic() > deadline:
                raise LabError(f"{name} has no {flag} after {TIMEOUT_S:.0f} s")
            time.sleep(1)
        cluster.wait_workloads(lab)


def _add_objects(lab: Lab) -> None:
    """Pods begin on the workers that an upgrade drains, and may go anywhere."""
    others = [worker.node_name for worker in lab.workers if not worker.managed]
    cluster.kubectl(lab, "cordon", *others)
    # The first time it does not know yet the kind that one of the objects defines.
    cluster.kubectl(lab, "apply", "-f", "-", stdin=OBJECTS.read_text(), check=False)
    cluster.kubectl(lab, "wait", "crd", "-l", "lab=field", "--for=condition=Established", "--timeout=30s", timeout_s=45)
    cluster.kubectl(lab, "apply", "-f", "-", stdin=OBJECTS.read_text())
    cluster.wait_workloads(lab)
    cluster.kubectl(lab, "wait", "pods", "-n", "field", "--all", "--for=condition=Ready", "--timeout=60s", timeout_s=75)
    cluster.kubectl(lab, "uncordon", *others)
    cluster.kubectl(lab, "delete", "pod", "-n", "field", "stale", "--wait=false", "--grace-period=1")
