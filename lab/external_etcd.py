# SPDX-License-Identifier: GPL-3.0-or-later
"""An etcd that kubeadm does not manage: the profile ``external-etcd``.

A member runs on each control-plane machine as a service of systemd. Clients and members show each other certificates.
"""

from __future__ import annotations

import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import machines
from lab.commands import run

if t.TYPE_CHECKING:
    from lab.config import Lab, Machine

# For the addresses $1.
CERTIFICATES = """\
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=external-etcd-ca -keyout ca.key -out ca.crt
printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth,clientAuth\\n' "$1" > member.cnf
printf 'extendedKeyUsage=clientAuth\\n' > client.cnf
for name in member client; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=etcd-$name" -keyout $name.key -out $name.csr
    openssl x509 -req -days 3650 -CA ca.crt -CAkey ca.key -CAcreateserial -extfile $name.cnf \\
        -in $name.csr -out $name.crt
done
"""


def start(lab: Lab) -> None:
    """Start the members, return when they serve; the first machine has the client's certificate then."""
    with tempfile.TemporaryDirectory() as folder:
        addresses = ",".join(f"IP:{machine.address}" for machine in lab.control_plane)
        run(["sh", "-c", CERTIFICATES, "sh", addresses], what="making etcd's certificates", cwd=Path(folder))
        pem = {file.name: file.read_text() for file in Path(folder).iterdir()}
    ca, certificate, key = _client(lab)
    machines.copy_in(
        lab.container(lab.control_plane[0]),
        {ca: pem["ca.crt"], certificate: pem["client.crt"], key: pem["client.key"]},
    )
    members = ",".join(f"{machine.name}=https://{machine.address}:2380" for machine in lab.control_plane)
    program = lab.cache / "bin" / f"etcd-{lab.release.etcd.split('-')[0]}" / "etcd"

    def start_one(machine: Machine) -> None:
        values = {"name": machine.name, "address": machine.address, "members": members}
        container = lab.container(machine)
        run(["podman", "cp", program, f"{container}:/usr/local/bin/etcd"], what=f"copying etcd to {machine.name}")
        files = {f"/etc/etcd/{name}": pem[name] for name in ("ca.crt", "member.crt", "member.key")}
        files["/etc/systemd/system/etcd.service"] = machines.render("etcd.service", values)
        machines.copy_in(container, files)
        machines.execute(lab, machine, "systemctl", "daemon-reload")
        machines.execute(lab, machine, "systemctl", "enable", "--now", "etcd.service")

    # Each waits for a majority.
    with ThreadPoolExecutor(len(lab.control_plane)) as pool:
        list(pool.map(start_one, lab.control_plane))


def configuration(lab: Lab) -> str:
    """What kubeadm's ClusterConfiguration says of it."""
    ca, certificate, key = _client(lab)
    return f"""\
etcd:
  external:
    endpoints: [{", ".join(lab.etcd_endpoints)}]
    caFile: {ca}
    certFile: {certificate}
    keyFile: {key}"""


def _client(lab: Lab) -> tuple[str, str, str]:
    """Authority, certificate and key, where kubeadm's documentation has them."""
    place = lab.certificates
    return f"{place}/etcd/ca.crt", f"{place}/apiserver-etcd-client.crt", f"{place}/apiserver-etcd-client.key"
