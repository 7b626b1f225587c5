# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command: ``python -m lab up | build | destroy | status | demo``."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab import cluster, config, decisions, demo, field, golang, host, images, machines, packages, systems
from lab.commands import LabError
from lab.progress import Progress

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.config import Lab, Machine

BUILD_SECONDS = {"kubernetes": 330.0, "etcd": 45.0, "coredns": 100.0}
"""A first guess on two cores; the machine's own times replace it."""


MADE = "/etc/lab-is-made"
"""A file on the balancer that says that the cluster was finished once."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def up(lab: Lab, *, fresh: bool = False) -> None:
    """Make the lab run, whatever state it is in; change nothing where it does."""
    started = time.monotonic()
    if not fresh and shutil.which("podman") and decisions.next_move(*_look(lab), fresh) == "keep":
        # Another clone may have made it.
        cluster.fetch_credentials(lab)
        say(f"The lab is up: {_describe(lab)}")
        return
    host.check(lab.cache, say)
    host.prepare(say)
    with _only_one(lab):
        move = decisions.next_move(*_look(lab), fresh)
        try:
            if move == "start":
                _start(lab)
                move = decisions.next_move(*_look(lab), fresh)
            if move == "wait":
                _wait(lab)
        except LabError as error:
            say(f"The cluster did not come back ({error}); building it anew.")
            move = "build"
        if move == "build":
            _build(lab)
    say(f"The lab is up after {time.monotonic() - started:.0f} s: {_describe(lab)}")
    say(f"  kubectl --kubeconfig {config.GENERATED / 'admin.conf'} get nodes")


def _look(lab: Lab) -> tuple[dict[str, str], bool | None, list[str] | None]:
    """The machines' states, whether the cluster was once finished, and what keeps it from being whole."""
    states = machines.states(lab)
    if set(states.values()) != {"running"}:
        return states, None, None
    machines.attach_host(lab)
    machines.share_processors(lab)
    made = machines.execute(lab, lab.balancer, "test", "-e", MADE, check=False).returncode == 0
    return states, made, cluster.problems(lab) if made else None


def _start(lab: Lab) -> None:
    """Start the machines that were stopped, or died with their host."""
    progress = Progress(1, lab.cache / "timings.json")
    with progress.step("starting the machines again"):
        states = machines.states(lab)
        dead = [machine for machine in lab.machines if states[machine.name] == "dead"]
        _each(dead, lambda machine: machines.start(lab, machine))
        _each(dead, lambda machine: machines.wait_booted(lab, machine))


def _wait(lab: Lab) -> None:
    """Until the cluster is whole again."""
    progress = Progress(1, lab.cache / "timings.json")
    with progress.step("waiting for the cluster", 60):
        cluster.wait_api(lab)
        cluster.wait_workloads(lab)
        cluster.fetch_credentials(lab)


def _build(lab: Lab) -> None:
    """A new cluster; what the cache has is not built again."""
    programs = [program for program in images.build_programs(lab) if not golang.is_built(program, lab.cache)]
    progress = Progress(len(programs) + (10 if lab.profile == "field" else 9), lab.cache / "timings.json")
    for program in programs:
        with progress.step(f"building {program.name} {program.version}", BUILD_SECONDS.get(program.name)):
            golang.build(program, lab.cache)
    with progress.step("packing kubeadm, kubelet, kubectl", 25):
        for release in packages.missing(lab):
            packages.publish(release, lab)
    with progress.step("making the machines' systems", 90):
        node_image = systems.image(systems.NODE, lab)
        balancer_image = systems.image(systems.BALANCER, lab)
    with progress.step("removing an earlier lab"):
        machines.destroy(lab)
    with progress.step("booting the machines", 10):
        machines.make_network(lab)
        key = cluster.ssh_key(lab)
        machines.create(lab, lab.balancer, balancer_image, "")
        _each(lab.nodes, lambda machine: machines.create(lab, machine, node_image, key))
        _each(lab.machines, lambda machine: machines.start(lab, machine))
        machines.attach_host(lab)
        machines.share_processors(lab)
        _each(lab.machines, lambda machine: machines.wait_booted(lab, machine))
        # The registry runs as a user of its own and writes into the cache.
        machines.execute(lab, lab.balancer, "chown", "-R", "docker-registry:docker-registry", "/srv/registry")
    with progress.step("filling the registry", 60):
        for image in images.missing(lab):
            images.push(image, lab)
    with progress.step("installing kubeadm, kubelet, kubectl on the nodes", 20):
        _each(lab.nodes, lambda machine: cluster.install_packages(lab, machine))
    with progress.step("kubeadm init on the first control-plane node", 15):
        ticket = cluster.init(lab)
    with progress.step("kubeadm join on the other nodes", 40), ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(cluster.join, lab, machine, ticket) for machine in lab.workers]
        for machine in lab.control_plane[1:]:
            cluster.join(lab, machine, ticket)
        for worker in workers:
            worker.result()
    with progress.step("starting the workloads", 20):
        cluster.fetch_credentials(lab)
        cluster.apply_workloads(lab)
        cluster.wait_workloads(lab)
        # Some gigabytes were written; etcd's next write would otherwise wait for all of them. Where it waits now,
        # leaders may lose their Leases and start again.
        os.sync()
        cluster.wait_workloads(lab)
    if lab.profile == "field":
        with progress.step("adding what years leave behind", 90):
            field.add(lab)
            cluster.wait_workloads(lab)
    machines.execute(lab, lab.balancer, "touch", MADE)


def build(lab: Lab) -> None:
    """Build the programs that the lab is made of, and nothing else."""
    for program in images.build_programs(lab):
        golang.build(program, lab.cache)


def destroy(lab: Lab) -> None:
    """Remove everything that the lab made on this machine, but for the cache of builds."""
    if shutil.which("podman") is None:
        say("There is no lab: podman is not installed.")
        return
    with _only_one(lab):
        removed = machines.destroy(lab)
        machines.remove_images(lab)
        shutil.rmtree(config.GENERATED, ignore_errors=True)
    say(f"Removed {len(removed)} containers, volumes and networks." if removed else "There was no lab.")
    say(f"Builds are kept in {lab.cache}; remove that folder to build everything anew.")


def status(lab: Lab) -> int:
    """Print the state of each machine and what keeps the cluster from being whole."""
    states, made, problems = _look(lab)
    for machine in lab.machines:
        print(f"{machine.name:10} {machine.address:15} {machine.role:14} {states[machine.name]}")
    for problem in problems or []:
        print(problem)
    return 0 if made and not problems else 1


def _each(items: t.Iterable[Machine], action: Callable[[Machine], object]) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(action, items))


def _describe(lab: Lab) -> str:
    versions = cluster.versions(lab)
    return ", ".join(f"{machine.name} {versions[machine.node_name]}" for machine in lab.nodes)


@contextmanager
def _only_one(lab: Lab) -> Iterator[None]:
    """One command at a time makes or removes a lab."""
    lab.cache.mkdir(parents=True, exist_ok=True)
    with (lab.cache / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command is making or removing the lab; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A real kubeadm cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up_command = commands.add_parser("up", help="make the lab run")
    up_command.add_argument("--fresh", action="store_true", help="remove the cluster that is there and make a new one")
    commands.add_parser("build", help="build the programs that it is made of, and nothing else")
    commands.add_parser("destroy", help="remove the lab")
    commands.add_parser("status", help="say what is there")
    demo_command = commands.add_parser("demo", help="upgrade the lab's cluster under traffic")
    demo_command.add_argument("--to", default="1.35.4", help="the version to upgrade to (%(default)s)")
    arguments = parser.parse_args()
    try:
        lab = config.load()
        if arguments.command == "up":
            up(lab, fresh=arguments.fresh)
        elif arguments.command == "build":
            build(lab)
        elif arguments.command == "destroy":
            destroy(lab)
        elif arguments.command == "status":
            return status(lab)
        else:
            up(lab)
            return demo.upgrade(arguments.to)
    except LabError as error:
        say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; run the same command again to go on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
