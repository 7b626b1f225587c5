# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a Kubernetes version, pushed to the lab's registry under their production names."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab import golang, systems
from lab.commands import run

if t.TYPE_CHECKING:
    from lab.config import Lab, Release

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PUSH = ("--quiet", "--tls-verify=false", "--format=oci", "--compression-format=zstd")
"""All nodes unpack on the same processors; zstd takes a quarter less of them than gzip."""
WEB = "evergreen-lab/web"
WEB_TAG = "1"
OPERATORS = "evergreen-lab/operators"
OPERATORS_TAG = "1"


@dataclass(frozen=True)
class Image:
    repository: str
    tag: str
    files: dict[str, Path]
    """Path in the image to the file that it is a copy of."""
    base: str = "scratch"
    settings: tuple[str, ...] = (PATH,)


def wanted(release: Release, lab: Lab) -> list[Image]:
    """Every image that a cluster of `release` pulls."""
    place = lab.cache / "bin"
    kubernetes = place / f"kubernetes-{release.version}"
    images = [
        Image(
            component,
            f"v{release.version}",
            {f"/usr/local/bin/{component}": kubernetes / component},
            base="proxy-base" if component == "kube-proxy" else "scratch",
        )
        for component in COMPONENTS
    ]
    images += [_etcd(release.etcd, release.etcd_tools, place)]
    if release.etcd_bridge:
        images.append(_etcd(release.etcd_bridge, release.etcd_tools, place))
    images += [
        Image(
            "coredns/coredns",
            release.coredns,
            {"/coredns": place / f"coredns-{release.coredns.removeprefix('v')}" / "coredns"},
            settings=(PATH, 'ENTRYPOINT ["/coredns"]'),
        ),
        Image(
            "pause",
            release.pause,
            {"/pause": place / f"pause-{release.pause}" / "pause"},
            settings=(PATH, "USER 65535:65535", 'ENTRYPOINT ["/pause"]'),
        ),
        Image(WEB, WEB_TAG, {"/web": place / "web-1" / "web"}, settings=(PATH, 'ENTRYPOINT ["/web"]')),
    ]
    if lab.profile == "field":
        files = {"/operators": place / f"operators-{OPERATORS_TAG}" / "operators"}
        images.append(Image(OPERATORS, OPERATORS_TAG, files, settings=(PATH, 'ENTRYPOINT ["/operators"]')))
    return images


def _etcd(tag: str, tools: str, place: Path) -> Image:
    version = tag.split("-", maxsplit=1)[0]
    versions = {"etcd": version, "etcdctl": tools or version, "etcdutl": tools or version}
    files = {f"/usr/local/bin/{name}": place / f"etcd-{of}" / name for name, of in versions.items()}
    return Image("etcd", tag, files)


def missing(lab: Lab) -> list[Image]:
    """The images of every offered version that the registry does not have yet."""
    tags = lab.cache / "registry" / "docker" / "registry" / "v2" / "repositories"
    found: dict[tuple[str, str], Image] = {}
    for release in lab.offered:
        for image in wanted(release, lab):
            if not (tags / image.repository / "_manifests" / "tags" / image.tag / "current" / "link").exists():
                found[image.repository, image.tag] = image
    return list(found.values())


def push(image: Image, lab: Lab) -> None:
    """Build `image` and push it to the registry on the balancer."""
    name = f"{lab.image(image.repository.replace('/', '-'))}:{image.tag}"
    base = image.base
    if base == "proxy-base":
        base = systems.image(systems.PROXY_BASE, lab)
    with tempfile.TemporaryDirectory(dir=lab.cache) as folder:
        for path, file in image.files.items():
            target = Path(folder) / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target) if _same_device(file, target.parent) else shutil.copy(file, target)
        run(
            ["podman", "build", "--quiet", "--layers", "--timestamp", "0", "--tag", name, "--file", "-", folder],
            what=f"making the image {image.repository}:{image.tag}",
            stdin="\n".join((f"FROM {base}", "COPY . /", *image.settings)),
        )
    aim = f"docker://{lab.balancer.address}:5000/{image.repository}:{image.tag}"
    run(["podman", "push", *PUSH, name, aim], what=f"pushing {image.repository}:{image.tag}")
    run(["podman", "rmi", "--force", name], check=False)


def build_programs(lab: Lab) -> list[golang.Program]:
    """Everything that the offered versions are built from, each once."""
    programs = {program.directory: program for release in lab.offered for program in release.programs()}
    own = [golang.web(WEB_TAG, lab.release.go)]
    if lab.profile == "field":
        own.append(golang.operators(OPERATORS_TAG, lab.release.go))
    return [*programs.values(), *own]


def _same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev
