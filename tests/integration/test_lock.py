# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upgrade lock on a real API server: one holder, whoever asks at the same time."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import decide_held, why_ended
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.io import LeaseStore, LostRace
from ansible_collections.evergreen.kubeadm.plugins.modules import upgrade_lock
from control_plane import task
from etcd_cluster import run_module
from harness.cluster import Cluster
from harness.controller import controller
from harness.process import free_ports

CONTENDERS = 8


class Lock:
    """The lock of one test, by its own Lease name."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.options: dict[str, t.Any] = {**cluster.params, "name": name, "timeout_s": 20}
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}"

    def ask(self, state: str, holder: str, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        params = {**self.options, "state": state, "holder": holder, **options}
        return upgrade_lock.settle(task(upgrade_lock.ARGUMENT_SPEC, params, check_mode=check_mode))

    def stored(self) -> dict[str, t.Any] | None:
        try:
            return self.cluster.client.get(self.path)
        except ApiStatusError as error:
            if error.status == 404:
                return None
            raise

    def contend(self, holders: list[str]) -> tuple[list[dict[str, t.Any]], list[EvergreenError]]:
        """All holders ask at the same moment."""
        gate = threading.Barrier(len(holders))

        def one(holder: str) -> dict[str, t.Any] | EvergreenError:
            gate.wait()
            try:
                return self.ask("held", holder)
            except EvergreenError as error:
                return error

        with ThreadPoolExecutor(len(holders)) as pool:
            answers = list(pool.map(one, holders))
        return (
            [answer for answer in answers if isinstance(answer, dict)],
            [answer for answer in answers if isinstance(answer, EvergreenError)],
        )


@pytest.fixture
def lock(cluster: Cluster, unique: str) -> Lock:
    return Lock(cluster, f"lock-{unique}")


def test_the_life_of_a_lock(lock: Lock) -> None:
    acquired = lock.ask("held", "a@one", purpose="upgrade to 1.35.4", lease_seconds=600)
    assert (acquired["action"], acquired["changed"], acquired["held"]) == ("acquired", True, True)
    assert acquired["lock"]["purpose"] == "upgrade to 1.35.4"
    stored = lock.stored()
    assert stored is not None
    assert (stored["spec"]["holderIdentity"], stored["spec"]["leaseDurationSeconds"]) == ("a@one", 600)

    time.sleep(1.1)
    renewed = lock.ask("held", "a@one", lease_seconds=600)
    assert (renewed["action"], renewed["changed"]) == ("renewed", False)
    assert renewed["lock"]["acquired_at"] == acquired["lock"]["acquired_at"]
    assert renewed["lock"]["renewed_at"] > acquired["lock"]["renewed_at"]
    assert renewed["lock"]["purpose"] == "upgrade to 1.35.4"

    with pytest.raises(EvergreenError) as refused:
        lock.ask("held", "b@two")
    text = str(refused.value)
    for part in ("a@one", "upgrade to 1.35.4", renewed["lock"]["acquired_at"], renewed["lock"]["expires_at"]):
        assert part in text
    assert f"delete lease {lock.options['name']}" in text
    assert refused.value.result["lock"]["holder"] == "a@one"

    left_alone = lock.ask("released", "b@two")
    assert (left_alone["action"], left_alone["changed"], left_alone["previous_holder"]) == ("none", False, "a@one")
    assert lock.stored() is not None

    released = lock.ask("released", "a@one")
    assert (released["action"], released["changed"], lock.stored()) == ("released", True, None)
    again = lock.ask("released", "a@one")
    assert (again["action"], again["changed"]) == ("none", False)


def test_check_mode_predicts_and_writes_nothing(lock: Lock) -> None:
    predicted = lock.ask("held", "a@one", check_mode=True)
    assert (predicted["action"], predicted["changed"], lock.stored()) == ("acquired", True, None)
    done = lock.ask("held", "a@one")
    assert (done["action"], done["diff"]["before"]) == (predicted["action"], predicted["diff"]["before"])
    before = lock.stored()
    assert lock.ask("released", "a@one", check_mode=True)["action"] == "released"
    assert lock.stored() == before
    with pytest.raises(EvergreenError):
        lock.ask("held", "b@two", check_mode=True)


@pytest.mark.parametrize("round_", range(3))
def test_of_many_that_ask_at_once_one_gets_it(lock: Lock, round_: int) -> None:
    del round_
    won, lost = lock.contend([f"run{number}@host" for number in range(CONTENDERS)])
    assert (len(won), len(lost)) == (1, CONTENDERS - 1)
    holder = won[0]["lock"]["holder"]
    assert all(holder in error.message for error in lost)
    stored = lock.stored()
    assert stored is not None
    assert stored["spec"]["holderIdentity"] == holder


def test_an_expired_lock_is_taken_over_by_exactly_one(lock: Lock) -> None:
    lock.ask("held", "dead@host", lease_seconds=1)
    # The server's clock is read to the second.
    time.sleep(2.1)
    won, lost = lock.contend([f"run{number}@host" for number in range(CONTENDERS)])
    assert (len(won), len(lost)) == (1, CONTENDERS - 1)
    assert (won[0]["action"], won[0]["previous_holder"]) == ("taken_over", "dead@host")
    assert won[0]["lock"]["transitions"] == 1
    with pytest.raises(EvergreenError):
        lock.ask("held", "dead@host")


def test_a_lock_whose_controller_was_killed_is_taken_over_at_once(lock: Lock) -> None:
    with controller() as dead, controller() as mine:
        lock.ask("held", "dead@here", controller=dead.identity)
        with pytest.raises(EvergreenError) as refused:
            lock.ask("held", "a@here", controller=mine.identity)
        assert f"{dead.process.pid} on {dead.identity['host']}, is alive" in str(refused.value)
        assert refused.value.result["holder_controller"] == "alive"
        assert refused.value.result["lock"]["controller"] == dead.identity

        dead.kill()
        dead.process.wait()
        predicted = lock.ask("held", "a@here", controller=mine.identity, check_mode=True)
        assert (predicted["action"], predicted["reason"]) == ("taken_over", "controller_gone")
        taken = lock.ask("held", "a@here", controller=mine.identity)
        assert (taken["action"], taken["reason"], taken["changed"]) == ("taken_over", "controller_gone", True)
        assert (taken["previous_holder"], taken["holder_controller"]) == ("dead@here", "gone")
        assert taken["lock"]["controller"] == mine.identity
        with pytest.raises(EvergreenError, match="is alive"):
            lock.ask("held", "b@here")
        with pytest.raises(EvergreenError) as lost:
            lock.ask("renewed", "dead@here")
        assert "no longer held by dead@here" in str(lost.value)


def test_a_killed_controller_that_nobody_waited_for_is_gone(lock: Lock) -> None:
    with controller() as dead:
        lock.ask("held", "dead@here", controller=dead.identity)
        dead.kill()
        end = time.monotonic() + 5
        while (answer := try_to_take(lock, "a@here")) is None and time.monotonic() < end:
            time.sleep(0.05)
        assert dead.process.returncode is None
    assert answer is not None
    assert answer["reason"] == "controller_gone"


def test_a_living_controller_keeps_its_lock_whatever_the_time(lock: Lock) -> None:
    with controller() as holder:
        lock.ask("held", "a@here", controller=holder.identity, lease_seconds=1)
        # The server's clock is read to the second.
        time.sleep(2.1)
        with pytest.raises(EvergreenError) as refused:
            lock.ask("held", "b@here")
        assert "is alive, so its lock is not taken" in str(refused.value)
        assert "it expired" in str(refused.value)
        # From elsewhere its process cannot be seen, and its time is over.
    assert lock.ask("held", "b@here")["reason"] == "expired"


class Keeping:
    """The lock is kept in the background, as beside a run."""

    def __init__(self, lock: Lock, holder: str, **options: t.Any) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._result = self._pool.submit(lock.ask, "kept", holder, lease_seconds=3, **options)

    def going_on(self) -> bool:
        return not self._result.done()

    def ended_by(self, within_s: float) -> str:
        answer = self._result.result(within_s)
        self._pool.shutdown()
        return str(answer["ended_by"])


def renewed_at(lock: Lock) -> str:
    return str((lock.stored() or {"spec": {}})["spec"].get("renewTime"))


def test_a_lock_is_kept_while_its_run_waits(lock: Lock, tmp_path: Path) -> None:
    heartbeat = tmp_path / "there" / "heartbeat"
    with controller() as run:
        lock.ask("held", "a@here", controller=run.identity, lease_seconds=3, purpose="upgrade to 1.35.4")
        first = renewed_at(lock)
        keeping = Keeping(lock, "a@here", controller=run.identity, heartbeat=str(heartbeat))
        time.sleep(7)
        assert keeping.going_on() and heartbeat.exists()
        assert renewed_at(lock) > first
        # Somebody on another machine does not see the process, and the lock has not expired for them either.
        elsewhere = {**run.identity, "host": "elsewhere"}
        stored = lock.stored()
        assert stored is not None
        now = LeaseStore(lock.cluster.client, "kube-system", lock.options["name"], Deadline(10)).server_time()
        assert why_ended(stored, now, look(elsewhere)) is None
        # The run itself renews it as well, and releases it.
        assert lock.ask("renewed", "a@here", lease_seconds=3)["lock"]["purpose"] == "upgrade to 1.35.4"
        lock.ask("released", "a@here")
        assert keeping.ended_by(10) == "lost"
        assert lock.stored() is None, "it is not taken again"


def test_who_keeps_a_lock_ends_with_its_run(lock: Lock) -> None:
    with controller() as run:
        lock.ask("held", "a@here", controller=run.identity, lease_seconds=3)
        keeping = Keeping(lock, "a@here", controller=run.identity)
        time.sleep(1.5)
        assert keeping.going_on()
        run.kill()
        run.process.wait()
        assert keeping.ended_by(5) == "controller"
    assert lock.stored() is not None, "what is left tells that the run was cut off"


def test_a_lock_that_was_taken_over_is_kept_no_longer(lock: Lock) -> None:
    with controller() as run:
        lock.ask("held", "a@here", controller=run.identity)
        lock.ask("released", "b@two", force_release=True)
        lock.ask("held", "b@two")
        assert Keeping(lock, "a@here", controller=run.identity).ended_by(10) == "lost"
    stored = lock.stored()
    assert stored is not None
    assert stored["spec"]["holderIdentity"] == "b@two"


def test_a_run_that_cannot_be_seen_shows_by_its_renewals_that_it_is_alive(lock: Lock) -> None:
    with controller() as run:
        elsewhere = {**run.identity, "host": "elsewhere"}
    lock.ask("held", "a@there", controller=elsewhere, lease_seconds=3)
    # On a busy machine a renewal may take seconds, of the run and of who keeps the lock.
    keeping = Keeping(lock, "a@there", controller=elsewhere, idle_limit_s=15.0)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        lock.ask("renewed", "a@there", lease_seconds=3)
        assert keeping.going_on()
        time.sleep(0.5)
    assert keeping.ended_by(60) == "idle"


def test_an_api_server_that_is_away_does_not_end_it(lock: Lock, tmp_path: Path) -> None:
    nobody = f"https://127.0.0.1:{free_ports(1)[0]}"
    kubeconfig = tmp_path / "away.conf"
    kubeconfig.write_text(lock.cluster.kubeconfig.read_text().replace(lock.cluster.url, nobody))
    with controller() as run:
        keeping = Keeping(lock, "a@here", controller=run.identity, kubeconfig=str(kubeconfig), timeout_s=1)
        time.sleep(4)
        assert keeping.going_on()
        run.kill()
        run.process.wait()
        assert keeping.ended_by(10) == "controller"


def try_to_take(lock: Lock, holder: str) -> dict[str, t.Any] | None:
    try:
        return lock.ask("held", holder)
    except EvergreenError:
        return None


@pytest.mark.parametrize("place", [{"host": "elsewhere"}, {"boot_id": "another"}, {"pid_namespace": "pid:[1]"}])
def test_a_controller_of_another_place_is_not_judged(lock: Lock, place: dict[str, str]) -> None:
    with controller() as other:
        lock.ask("held", "b@two", controller={**other.identity, **place})
    with pytest.raises(EvergreenError) as refused:
        lock.ask("held", "a@one")
    assert "cannot be seen from here" in str(refused.value)
    assert refused.value.result["holder_controller"] == "unknown"


def test_a_lock_of_a_dead_run_goes_to_exactly_one(lock: Lock) -> None:
    with controller() as dead:
        lock.ask("held", "dead@here", controller=dead.identity)
    won, lost = lock.contend([f"run{number}@host" for number in range(CONTENDERS)])
    assert (len(won), len(lost)) == (1, CONTENDERS - 1)
    assert (won[0]["action"], won[0]["reason"]) == ("taken_over", "controller_gone")


def test_a_renewal_keeps_the_lock_and_what_it_says(lock: Lock) -> None:
    with controller() as mine:
        acquired = lock.ask("held", "a@one", controller=mine.identity, purpose="upgrade to 1.35.4", lease_seconds=600)
        time.sleep(1.1)
        renewed = lock.ask("renewed", "a@one", lease_seconds=600)
    assert (renewed["action"], renewed["changed"], renewed["held"]) == ("renewed", False, True)
    assert renewed["lock"]["renewed_at"] > acquired["lock"]["renewed_at"]
    for key in ("controller", "purpose", "acquired_at"):
        assert renewed["lock"][key] == acquired["lock"][key]


def test_a_lock_that_is_no_longer_held_is_not_renewed(lock: Lock) -> None:
    lock.ask("held", "a@one")
    lock.ask("released", "b@two", force_release=True)
    with pytest.raises(EvergreenError) as lost:
        lock.ask("renewed", "a@one")
    assert "no longer held by a@one: nobody holds it" in str(lost.value)
    assert lock.stored() is None
    with controller() as gone:
        lock.ask("held", "b@two", controller=gone.identity)
    with pytest.raises(EvergreenError) as lost:
        lock.ask("renewed", "a@one")
    assert "no longer held by a@one: it is held by b@two" in str(lost.value)
    stored = lock.stored()
    assert stored is not None
    assert stored["spec"]["holderIdentity"] == "b@two"


def test_force_release(lock: Lock) -> None:
    lock.ask("held", "a@one")
    forced = lock.ask("released", "b@two", force_release=True)
    assert (forced["action"], forced["previous_holder"], lock.stored()) == ("force_released", "a@one", None)


def test_a_write_on_what_somebody_changed_since_is_refused(lock: Lock) -> None:
    lock.ask("held", "a@one")
    store = LeaseStore(lock.cluster.client, "kube-system", lock.options["name"], Deadline(10))
    read = store.read()
    now = store.server_time()
    lock.ask("held", "a@one", purpose="changed since")
    decision = decide_held(
        read, identity=("kube-system", lock.options["name"]), holder="a@one", lease_seconds=9, purpose=None, now=now
    )
    with pytest.raises(LostRace):
        store.write(decision)


def test_a_server_that_does_not_answer_fails_at_the_deadline(lock: Lock, tmp_path: Path) -> None:
    nobody = f"https://127.0.0.1:{free_ports(1)[0]}"
    kubeconfig = tmp_path / "away.conf"
    kubeconfig.write_text(lock.cluster.kubeconfig.read_text().replace(lock.cluster.url, nobody))
    begun = time.monotonic()
    with pytest.raises(EvergreenError) as failed:
        lock.ask("held", "a@one", kubeconfig=str(kubeconfig), timeout_s=1)
    assert 1 <= time.monotonic() - begun < 5
    assert nobody in str(failed.value)


@pytest.mark.parametrize(
    "options", [{"holder": " "}, {"lease_seconds": 0}, {"force_release": True}], ids=["holder", "seconds", "force"]
)
def test_options_that_make_no_sense(lock: Lock, options: dict[str, t.Any]) -> None:
    with pytest.raises(EvergreenError):
        lock.ask(**{"state": "held", "holder": "a@one", **options})
    assert lock.stored() is None


def test_the_module_itself(lock: Lock) -> None:
    lock.ask("held", "a@one")
    # An empty identity is that of a controller whose system does not say.
    failed = run_module("upgrade_lock", {**lock.options, "holder": "b@two", "controller": {}})
    assert failed["failed"]
    assert not failed["changed"]
    assert "a@one" in failed["msg"]
    assert failed["hint"]
    with controller() as mine:
        arguments = {**lock.options, "holder": "a@one", "state": "renewed", "controller": mine.identity}
        assert run_module("upgrade_lock", arguments)["lock"]["controller"] == mine.identity
    taken = run_module("upgrade_lock", {**lock.options, "holder": "c@three"})
    assert (taken["action"], taken["reason"]) == ("taken_over", "controller_gone")
    lock.ask("released", "c@three")
    lock.ask("held", "a@one")
    released = run_module("upgrade_lock", {**lock.options, "state": "released", "holder": "a@one"})
    assert released["changed"]
    assert set(released) >= {"action", "held", "lock", "previous_holder", "server_time", "started", "duration_s"}
