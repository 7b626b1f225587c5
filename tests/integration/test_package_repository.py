# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_packages with the real apt, on sources as other tools leave them: apt works before and after."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import keys, proxy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.apt import AptError, NodeRepository, Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.installed import Apt as AptPackages
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.installed import (
    Installed,
    Packages,
    PackagesError,
)
from apt_place import Apt, Signer, needs_apt, package, signer
from harness.modules import run_module
from harness.programs import scratch_folder

pytestmark = needs_apt
DEAD = "deb [signed-by=/usr/share/keyrings/helm.gpg] http://127.0.0.1:1/helm/stable/debian/ all main\n"


@pytest.fixture(scope="module")
def community() -> t.Iterator[Signer]:
    # gpg's agent has a socket there, whose path may not be long.
    with scratch_folder() as folder, signer(folder / "g") as made:
        yield made


@pytest.fixture(scope="module")
def stranger() -> t.Iterator[Signer]:
    with scratch_folder() as folder, signer(folder / "g") as made:
        yield made


@pytest.fixture
def scratch() -> t.Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def apt(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    made = Apt(scratch / "root")
    monkeypatch.setenv("APT_CONFIG", str(made.config))
    return made


@pytest.fixture
def url(scratch: Path, community: Signer) -> str:
    """The repository of 1.35, with the layout of the community's."""
    place = scratch / "core:/stable:/v1.35/deb"
    package(place, "kubeadm", "1.35.4")
    community.sign(place)
    return f"file://{place}/"


def have(
    apt: Apt, url: str, *, fingerprint: str = "", check_mode: bool = False, seconds: float = 60
) -> dict[str, t.Any]:
    wanted = Wanted(
        url=url,
        package_format="deb",
        sources_list=str(apt.etc / "sources.list.d/kubernetes.list"),
        keyring=str(apt.etc / "keyrings/kubernetes.asc"),
        fingerprint=fingerprint,
        etc=str(apt.etc),
    )
    return NodeRepository(Node(), wanted, Deadline(seconds), check_mode=check_mode).have()


def deb822(url: str, key: Path) -> str:
    return f"Types: deb\nURIs: {url}\nSuites: /\nSigned-By: {key}\n"


def test_key_and_source_are_written_once(apt: Apt, url: str, community: Signer) -> None:
    told = have(apt, url, check_mode=True)
    assert told["changed"]
    assert apt.files() == {}
    done = have(apt, url)
    assert (done["changed"], done["fingerprints"]) == (True, [community.fingerprint])
    assert done["file"].endswith("/kubernetes.list")
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]
    before = apt.files()
    assert not have(apt, url)["changed"]
    assert apt.files() == before


@pytest.mark.parametrize(
    "spelt",
    [lambda url: url, lambda url: url.rstrip("/"), lambda url: quote(url, safe="/:").replace("stable:", "stable%3A")],
)
def test_the_entry_of_another_file_is_used(
    apt: Apt, url: str, community: Signer, spelt: t.Callable[[str], str]
) -> None:
    """A second one with another key keeps apt from reading any list."""
    key = apt.etc / "another.asc"
    key.write_text(community.key)
    apt.source("kubernetes.sources", deb822(spelt(url), key))
    before = apt.files()
    done = have(apt, url)
    assert (done["changed"], done["file"], done["keyring"]) == (
        False,
        str(apt.etc / "sources.list.d/kubernetes.sources"),
        str(key),
    )
    assert apt.files() == before
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]


def test_the_entry_of_another_minor_stays(apt: Apt, url: str, scratch: Path, community: Signer) -> None:
    older = scratch / "core:/stable:/v1.34/deb"
    package(older, "kubeadm", "1.34.4")
    community.sign(older)
    key = apt.etc / "another.asc"
    key.write_text(community.key)
    foreign = apt.source("kubernetes.sources", deb822(f"file://{older}/", key))
    assert have(apt, f"file://{older}/")["file"] == str(foreign)
    assert have(apt, url)["file"].endswith("/kubernetes.list")
    assert foreign.read_text() == deb822(f"file://{older}/", key)
    # The lists of the other one are still there.
    assert sorted(apt.versions("kubeadm")) == ["1.34.4-1.1", "1.35.4-1.1"]


def test_an_entry_that_is_switched_off_does_not_count(apt: Apt, url: str, community: Signer) -> None:
    key = apt.etc / "another.asc"
    key.write_text(community.key)
    apt.source("kubernetes.sources", "Enabled: no\n" + deb822(url, key))
    assert have(apt, url)["file"].endswith("/kubernetes.list")


def test_a_repository_of_somebody_else_that_is_gone(apt: Apt, url: str) -> None:
    apt.source("helm.list", DEAD)
    have(apt, url)
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]


def test_sources_that_apt_cannot_read_with_the_new_one_are_put_back(apt: Apt, url: str, community: Signer) -> None:
    key = apt.etc / "another.asc"
    key.write_text(community.key)
    apt.source("mine.list", f"deb-src [signed-by={key}] {url} /\n")
    apt.source("kubernetes.list", f"deb [signed-by={key}] file:///nowhere/v1.34/deb/ /\n")
    before = apt.files()
    with pytest.raises(AptError, match="Conflicting values set for option Signed-By"):
        have(apt, url)
    assert apt.files() == before
    apt.versions("kubeadm")


def test_a_repository_that_fails_changes_nothing(apt: Apt, scratch: Path, community: Signer) -> None:
    apt.source("kubernetes.list", "deb file:///nowhere/v1.34/deb/ /\n")
    empty = scratch / "v1.36"
    empty.mkdir()
    (empty / "Release.key").write_text(community.key)
    before = apt.files()
    with pytest.raises(AptError, match=r"apt-get update failed for file:.*v1\.36"):
        have(apt, f"file://{empty}/")
    assert apt.files() == before


def test_a_key_that_does_not_vouch_for_the_repository(apt: Apt, url: str, community: Signer, stranger: Signer) -> None:
    keyring = apt.etc / "keyrings/kubernetes.asc"
    keyring.parent.mkdir()
    keyring.write_text(stranger.key)
    before = apt.files()
    with pytest.raises(AptError) as failed:
        have(apt, url)
    assert "node_prepare_key_fingerprint" in failed.value.hint
    assert apt.files() == before
    # The remedy, to the letter.
    assert have(apt, url, fingerprint=community.fingerprint)["fingerprints"] == [community.fingerprint]
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]


def test_a_repository_that_shows_another_key_than_the_one_named(apt: Apt, url: str, stranger: Signer) -> None:
    for check_mode in (True, False):
        with pytest.raises(keys.KeyRefused, match=f"node_prepare_key_fingerprint is {stranger.fingerprint}"):
            have(apt, url, fingerprint=stranger.fingerprint, check_mode=check_mode)
    assert apt.files() == {}


def test_another_key_in_the_file_of_somebody_else_is_refused(
    apt: Apt, url: str, community: Signer, stranger: Signer
) -> None:
    key = apt.etc / "another.asc"
    key.write_text(stranger.key)
    apt.source("kubernetes.sources", deb822(url, key))
    before = apt.files()
    with pytest.raises(keys.KeyRefused, match=r"kubernetes\.sources has file:"):
        have(apt, url, fingerprint=community.fingerprint)
    assert apt.files() == before


def test_an_expired_key_is_replaced_by_the_same_one_alone(apt: Apt, url: str, scratch: Path, community: Signer) -> None:
    # Binary, as a keyring without the ending .asc has to be.
    keyring = apt.etc / "kubernetes.gpg"
    with signer(scratch / "e", "--faked-system-time", "20200101T000000") as expired:
        keyring.write_bytes(keys.for_file(expired.key.encode(), str(keyring), "deb"))
        apt.source("kubernetes.sources", deb822(url, keyring))
        before = apt.files()
        with pytest.raises(keys.KeyRefused, match=community.fingerprint) as failed:
            have(apt, url)
        assert community.fingerprint in failed.value.hint
        assert apt.files() == before
        expired.gpg("--quick-set-expire", expired.fingerprint, "1y")
        expired.sign(Path(url[len("file://") :]))
        done = have(apt, url)
        assert (done["changed"], done["fingerprints"]) == (True, [expired.fingerprint])
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]


def test_another_apt_is_waited_for(apt: Apt, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with (apt.lists / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)

        def wait(deadline: Deadline, seconds: float) -> None:
            waits.append(seconds)
            fcntl.lockf(lock, fcntl.LOCK_UN)

        monkeypatch.setattr(Deadline, "sleep", wait)
        have(apt, url)
    assert len(waits) == 1
    assert apt.versions("kubeadm") == ["1.35.4-1.1"]


def test_what_is_fetched_goes_through_the_proxy_of_apt(apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own tools know apt's configuration alone, and the name of the repository is known to the proxy alone."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b"Package: kubeadm\nVersion: 1.35.4-1.1\n"
            self.send_response(200 if self.path.endswith("v1.35/deb/Packages") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: t.Any) -> None:
            pass

    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = HTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with apt.config.open("a") as config:
            config.write(f'Acquire::http::Proxy "http://127.0.0.1:{server.server_port}/";\n')
        options = {"repository_url": "http://m.invalid/v{minor}/deb/", "running": ["1.35.2"], "target": "1.35.4"}
        found = run_module("package_versions", options)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert found["versions"] == ["1.35.4"]
    assert asked[-1] == "http://m.invalid/v1.35/deb/Packages"


def test_the_proxy_of_apt_is_that_of_one_address_alone(apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    with apt.config.open("a") as config:
        config.write('Acquire::http::Proxy::m.invalid "http://192.0.2.2:3128/";\n')
    with proxy.that_of_apt("http://m.invalid/v1.35/deb/"):
        assert os.environ["http_proxy"] == "http://192.0.2.2:3128/"
    assert os.environ["http_proxy"] == "http://192.0.2.1:3128"


@pytest.fixture
def packages(apt: Apt, url: str, community: Signer, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    """Those of two versions in a repository, and a node that has none of them."""
    place = Path(url[len("file://") :])
    for version in ("1.34.4", "1.35.4"):
        program = scratch / f"kubelet-{version}"
        program.write_text(f"#!/bin/sh\necho Kubernetes v{version}\n")
        program.chmod(0o755)
        # dpkg takes one without a file of its own for replaced.
        for name in ("kubeadm", "kubectl", "kubelet"):
            package(place, name, version, {name: program})
    community.sign(place)
    have(apt, url)
    for folder in (*(f"var/lib/dpkg/{name}" for name in ("updates", "info", "triggers")), "var/log/apt", "usr/bin"):
        (apt.root / folder).mkdir(parents=True)
    for program_ in ("dpkg-query", "sh"):
        (apt.root / "usr/bin" / program_).symlink_to(str(shutil.which(program_)))
    with apt.config.open("a") as config:
        config.write(f'DPkg::Options {{ "--root={apt.root}"; "--force-not-root"; }};\n')
    monkeypatch.setenv("DPKG_ADMINDIR", str(apt.root / "var/lib/dpkg"))
    return of_version(apt, "1.35.4")


def of_version(apt: Apt, version: str, *, downgrade: bool = False, check_mode: bool = False) -> Packages:
    return AptPackages(Node(apt.root), version, Deadline(60), downgrade=downgrade, check_mode=check_mode)


TOOLS = ["kubeadm", "kubectl"]


def test_packages_are_installed_once_and_held(apt: Apt, packages: Packages) -> None:
    assert of_version(apt, "1.35.4", check_mode=True).have(TOOLS, ["kubelet"])
    assert packages.have(TOOLS, ["kubelet"])
    assert packages.installed([*TOOLS, "kubelet"]) == {
        "kubeadm": Installed("1.35.4", held=True),
        "kubectl": Installed("1.35.4", held=True),
        "kubelet": Installed("", held=True),
    }
    assert packages.have(["kubelet"])
    assert packages.installed(["kubelet"]) == {"kubelet": Installed("1.35.4", held=True)}
    assert not packages.have(TOOLS, ["kubelet"])
    assert not packages.have(["kubelet"])
    assert not of_version(apt, "1.35.4", check_mode=True).have(["kubelet"])


def test_a_kubelet_that_is_not_of_its_package_is_installed_again(apt: Apt, packages: Packages, scratch: Path) -> None:
    packages.have(["kubelet"])
    program = apt.root / "usr/bin/kubelet"
    program.write_bytes((scratch / "kubelet-1.34.4").read_bytes())
    assert packages.have(["kubelet"])
    assert "v1.35.4" in program.read_text()


def test_a_newer_version_stays_where_no_downgrade_is_wanted(apt: Apt, packages: Packages) -> None:
    packages.have(["kubelet"])
    with pytest.raises(PackagesError, match=r"kubelet of a newer version than 1\.34\.4"):
        of_version(apt, "1.34.4").have(["kubelet"])
    assert of_version(apt, "1.34.4", downgrade=True).have(["kubelet"])
    assert "v1.34.4" in (apt.root / "usr/bin/kubelet").read_text()


def test_a_version_that_is_not_there_is_named(apt: Apt, packages: Packages) -> None:
    with pytest.raises(PackagesError, match=r"Version '1\.36\.0-\*' for 'kubelet' was not found"):
        of_version(apt, "1.36.0").have(["kubelet"])


@pytest.mark.parametrize("lock", ["var/cache/apt/archives/lock", "var/lib/dpkg/lock"])
def test_another_package_manager_is_waited_for(
    apt: Apt, packages: Packages, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What installs waits for dpkg by itself; what holds does not.
    if "dpkg" in lock:
        packages.have(["kubelet"])
        subprocess.run(["apt-mark", "unhold", "kubelet"], check=True, capture_output=True)
    waits: list[float] = []
    with (apt.root / lock).open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)

        def wait(deadline: Deadline, seconds: float) -> None:
            waits.append(seconds)
            fcntl.lockf(held, fcntl.LOCK_UN)

        monkeypatch.setattr(Deadline, "sleep", wait)
        assert packages.have(["kubelet"])
    assert len(waits) == 1
    assert packages.installed(["kubelet"]) == {"kubelet": Installed("1.35.4", held=True)}


def test_the_module_itself(apt: Apt, url: str, packages: Packages, community: Signer) -> None:
    file, keyring = apt.etc / "sources.list.d/kubernetes.list", apt.etc / "keyrings/kubernetes.asc"
    for written in (file, keyring):
        written.unlink()
    options = {
        "kubernetes_version": "1.35.4",
        "state": "prepared",
        "package_manager": "apt",
        "repository": {
            "url": url,
            "sources_list": str(file),
            "keyring": str(keyring),
            "key_fingerprint": community.fingerprint.lower(),
        },
    }
    assert run_module("node_packages", options, check_mode=True)["changed"]
    assert apt.files() == {}
    done = run_module("node_packages", options)
    assert done["changed"]
    assert done["repository"] == {
        "file": str(file),
        "keyring": str(keyring),
        "fingerprints": [community.fingerprint],
    }
    assert {seen.version for seen in packages.installed(TOOLS).values()} == {"1.35.4"}
