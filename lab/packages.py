# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm, kubelet and kubectl as Debian packages, one signed repository a minor.

The folders are those of the community's repositories
(``core:/stable:/v1.35/deb/``), so that a node's sources differ from
production's by the host name alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from pathlib import Path

from lab.commands import run

if t.TYPE_CHECKING:
    from lab.config import Lab, Release

REVISION = "1.1"
SIGNER = "evergreen lab packages"
DEPENDS = {
    "kubeadm": "kubelet",
    "kubelet": "iptables, iproute2, mount, util-linux, ethtool, conntrack",
    "kubectl": "",
}
UNIT = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
DROP_IN = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
POSTINST = {
    # As the community's packages do: enabled, and not restarted by an upgrade.
    "kubelet": """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -z "$2" ]; then systemctl enable --now kubelet.service; fi
fi
""",
    "kubeadm": """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
""",
}


def repository(release: Release, cache: Path) -> Path:
    return cache / "packages" / "core:" / "stable:" / f"v{release.minor}" / "deb"


def missing(lab: Lab) -> list[Release]:
    """The offered versions that no repository has yet."""
    return [
        release
        for release in lab.offered
        if any(not (repository(release, lab.cache) / _file(name, release)).exists() for name in DEPENDS)
        or not (repository(release, lab.cache) / "InRelease").exists()
    ]


def publish(release: Release, lab: Lab) -> None:
    """Make the three packages of `release` and index its minor's repository anew."""
    place = repository(release, lab.cache)
    place.mkdir(parents=True, exist_ok=True)
    programs = lab.cache / "bin" / f"kubernetes-{release.version}"
    for name in DEPENDS:
        with tempfile.TemporaryDirectory(dir=lab.cache) as folder:
            tree = Path(folder) / "tree"
            _lay_out(tree, name, release, programs / name)
            part = Path(folder) / "package.deb"
            run(
                ["dpkg-deb", "--build", "--root-owner-group", "-Zzstd", "-z3", tree, part],
                what=f"packing {name} {release.version}",
            )
            part.chmod(0o644)
            part.rename(place / _file(name, release))
    _index(place, release, lab.cache)


def _file(name: str, release: Release) -> str:
    return f"{name}_{release.version}-{REVISION}_amd64.deb"


def _lay_out(tree: Path, name: str, release: Release, program: Path) -> None:
    (tree / "usr/bin").mkdir(parents=True)
    shutil.copy(program, tree / "usr/bin" / name)
    (tree / "usr/bin" / name).chmod(0o755)
    units = tree / "usr/lib/systemd/system"
    if name == "kubelet":
        units.mkdir(parents=True)
        (units / "kubelet.service").write_text(UNIT)
    if name == "kubeadm":
        (units / "kubelet.service.d").mkdir(parents=True)
        (units / "kubelet.service.d" / "10-kubeadm.conf").write_text(DROP_IN)
    control = tree / "DEBIAN"
    control.mkdir()
    depends = f"Depends: {DEPENDS[name]}\n" if DEPENDS[name] else ""
    (control / "control").write_text(
        f"Package: {name}\nVersion: {release.version}-{REVISION}\nArchitecture: amd64\n"
        f"Maintainer: {SIGNER} <lab@localhost>\n{depends}Section: admin\nPriority: optional\n"
        f"Description: {name} {release.version}, built from its Go module for the lab\n"
    )
    if name in POSTINST:
        (control / "postinst").write_text(POSTINST[name])
        (control / "postinst").chmod(0o755)
    for path in [tree, *tree.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def _index(place: Path, release: Release, cache: Path) -> None:
    packages = run(["apt-ftparchive", "packages", "."], cwd=place, what="indexing packages").stdout
    (place / "Packages").write_text(packages)
    run(["gzip", "--keep", "--force", "-n", "Packages"], cwd=place)
    for file in ("Release", "Release.gpg", "InRelease"):
        (place / file).unlink(missing_ok=True)
    options = {
        "Origin": "evergreen-lab",
        "Label": "evergreen-lab",
        "Suite": f"v{release.minor}",
        "Architectures": "amd64",
    }
    flags = [part for key, value in options.items() for part in ("-o", f"APT::FTPArchive::Release::{key}={value}")]
    text = run(["apt-ftparchive", *flags, "release", "."], cwd=place, what="indexing packages").stdout
    (place / "Release").write_text(text)
    gpg = _gpg(cache)
    (place / "Release.key").write_text(run([*gpg, "--armor", "--export", SIGNER]).stdout)
    run([*gpg, "--clearsign", "--output", "InRelease", "Release"], cwd=place, what="signing the repository")
    run([*gpg, "--armor", "--detach-sign", "--output", "Release.gpg", "Release"], cwd=place)


def _gpg(cache: Path) -> list[str]:
    """A gpg command with the lab's own key ring, made at the first call."""
    home = cache / "gnupg"
    if not home.exists():
        home.mkdir(parents=True)
        os.chmod(home, 0o700)
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]
    if run([*command, "--list-secret-keys", SIGNER], check=False).returncode != 0:
        run(
            [*command, "--passphrase", "", "--quick-generate-key", SIGNER, "rsa3072", "sign", "5y"],
            what="making the key that signs the lab's packages",
        )
    return command
