# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exchange of etcd's data, cut after each of its steps."""

from __future__ import annotations

import fcntl
import itertools
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import directories
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.directories import Evidence, Places

TOKEN = "restore-20260131T120000123Z"


def make(folder: str, content: str) -> None:
    database = Path(folder) / "member" / "snap" / "db"
    database.parent.mkdir(parents=True)
    database.write_text(content)


def content(folder: str) -> str:
    database = Path(folder) / "member" / "snap" / "db"
    return database.read_text() if database.exists() else ""


@pytest.fixture(params=[False, True], ids=["beside", "mounted"])
def where(request: t.Any, tmp_path: Path) -> Places:
    found = directories.places(str(tmp_path / "etcd"), TOKEN, mounted=request.param)
    make(found.data, "old")
    make(found.new, "new")
    return found


def test_places() -> None:
    assert directories.places("/var/lib/etcd", TOKEN, mounted=False) == Places(
        "/var/lib/etcd", f"/var/lib/etcd-{TOKEN}", f"/var/lib/etcd-before-{TOKEN}"
    )
    assert directories.places("/var/lib/etcd/", TOKEN, mounted=True) == Places(
        "/var/lib/etcd/", f"/var/lib/etcd/{TOKEN}", f"/var/lib/etcd/before-{TOKEN}"
    )


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Evidence(data=True, new=True, aside=False), ["keep old", "put new"]),
        (Evidence(data=True, new=True, aside=True), ["keep old", "put new"]),
        (Evidence(data=False, new=True, aside=True), ["put new"]),
        (Evidence(data=False, new=True, aside=False), ["put new"]),
        (Evidence(data=True, new=False, aside=True), []),
        (Evidence(data=True, new=False, aside=False), None),
        (Evidence(data=False, new=False, aside=True), None),
        (Evidence(data=False, new=False, aside=False), None),
    ],
)
def test_every_state_of_the_disk(seen: Evidence, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(EtcdError, match="Nothing is prepared"):
            directories.decide(seen)
    else:
        assert directories.decide(seen) == expected


def test_the_exchange(where: Places) -> None:
    os.chmod(where.data, 0o711)
    assert directories.exchange(where) == ["keep old", "put new"]
    assert (content(where.data), content(where.aside)) == ("new", "old")
    assert not os.path.exists(where.new)
    # The data directory itself is the one that was there.
    assert os.stat(where.data).st_mode & 0o777 == 0o711
    assert os.stat(where.aside).st_mode & 0o777 == 0o700
    assert directories.exchange(where) == []
    assert (content(where.data), content(where.aside)) == ("new", "old")


class Cut(Exception):
    """The node loses its power."""


def test_a_power_cut_at_each_call_of_the_system(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """What os is asked for is counted, and the n-th call never comes back; then the exchange is run again."""
    names = ("rename", "mkdir", "makedirs", "chown", "fsync", "rmdir")
    real = {name: getattr(os, name) for name in names}

    def cut_at(number: int) -> bool:
        """Whether the exchange was cut."""
        calls = itertools.count(1)

        def stopping(name: str) -> t.Callable[..., t.Any]:
            def call(*arguments: t.Any, **more: t.Any) -> t.Any:
                if next(calls) == number:
                    raise Cut
                return real[name](*arguments, **more)

            return call

        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(os, name, stopping(name))
            try:
                directories.exchange(where)
            except Cut:
                return True
        return False

    cuts = 0
    for number in itertools.count(1):
        if not cut_at(number):
            break
        cuts += 1
        # At no moment is either of the two lost.
        held = {content(folder) for folder in (where.data, where.new, where.aside)}
        assert held >= {"old", "new"}
        directories.exchange(where)
        assert (content(where.data), content(where.aside)) == ("new", "old")
        for source, target in ((where.data, where.new), (where.aside, where.data)):
            os.makedirs(target, exist_ok=True)
            os.rename(f"{source}/member", f"{target}/member")
        os.rmdir(where.aside)
    assert cuts >= 8


def test_no_old_data(where: Places) -> None:
    directories.discard(f"{where.data}/member")
    assert directories.exchange(where) == ["put new"]
    assert content(where.data) == "new"
    assert directories.exchange(where) == []


def test_a_database_in_use(where: Places) -> None:
    with open(f"{where.data}/member/snap/db", "rb") as database:
        fcntl.flock(database, fcntl.LOCK_EX)
        with pytest.raises(EtcdError, match=r"has .*/member/snap/db open"):
            directories.exchange(where)
    assert (content(where.data), content(where.new)) == ("old", "new")
    assert not os.path.exists(where.aside)


def test_old_data_in_both_places_is_refused(where: Places) -> None:
    make(where.aside, "older")
    with pytest.raises(EtcdError, match="both hold data"):
        directories.exchange(where)
    assert [content(folder) for folder in (where.data, where.new, where.aside)] == ["old", "new", "older"]


def test_leftovers_of_other_tries(where: Places) -> None:
    other = where.new.replace("2026", "2025")
    make(other, "x")
    make(where.aside, "kept")
    assert directories.stale(where, TOKEN) == [other]


def test_size(where: Places) -> None:
    assert directories.size(where.data) == 3
    assert directories.size(where.data + "-none") == 0
