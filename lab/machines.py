# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's containers: made, started, looked at, removed."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import tarfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template

from lab import host
from lab.commands import CommandError, LabError, run

if t.TYPE_CHECKING:
    import subprocess

    from lab.config import Lab, Machine

TEMPLATES = Path(__file__).parent / "templates"
BOOT_TIMEOUT_S = 90.0
GUARD_METRIC = "4242"
EXITS = Path("/run/libpod/exits")
CGROUPS = Path("/sys/fs/cgroup")
SHARES = {"balancer": 8192, "control_plane": 1024, "worker": 256}
"""CPU weights. Real machines have processors of their own: pods that start keep no load balancer from passing requests
on, and no etcd from answering."""
VOLUMES = {"control_plane": ("/var/lib/containerd",), "worker": ("/var/lib/containerd",), "balancer": ()}
"""containerd's overlays cannot lie on the container's own overlay."""


def states(lab: Lab) -> dict[str, str]:
    """Machine name to ``running``, ``dead`` or ``absent``.

    ``dead`` is a container that the engine lists and whose first process is
    gone, whatever the engine believes: after a reboot, or when the host's
    processes were cleaned up behind its back.
    """
    printed = run(
        ["podman", "ps", "--all", "--filter", f"name=^{lab.prefix}-", "--format", "json"], what="listing containers"
    ).stdout
    listed = {name: entry for entry in json.loads(printed or "[]") for name in entry["Names"]}
    result = {}
    for machine in lab.machines:
        entry = listed.get(lab.container(machine))
        if entry is None:
            result[machine.name] = "absent"
        else:
            result[machine.name] = "running" if _is_init(entry.get("Pid", 0)) else "dead"
    return result


def _is_init(pid: int) -> bool:
    try:
        return bool(pid) and b"init" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def make_network(lab: Lab) -> None:
    """The lab's own bridge: no DNS, no translation, no way out."""
    if run(["podman", "network", "exists", lab.prefix], check=False).returncode != 0:
        run(
            ["podman", "network", "create", "--internal", "--disable-dns", "--subnet", lab.network, lab.prefix],
            what="making the lab's network",
        )


def attach_host(lab: Lab) -> None:
    """Give this host its address in the lab's network, and keep the lab's traffic from leaving by another way.

    An internal network has no address of the host's own; the engine makes its
    bridge with the first container and drops it with the last. The route with
    the high metric is the one that counts where there is no bridge.
    """
    printed = run(["podman", "network", "inspect", lab.prefix], what="looking at the lab's network").stdout
    bridge = json.loads(printed)[0]["network_interface"]
    network = ipaddress.ip_network(lab.network)
    run(["ip", "route", "replace", "unreachable", lab.network, "metric", GUARD_METRIC])
    run(
        ["ip", "address", "replace", f"{network[1]}/{network.prefixlen}", "dev", bridge],
        what="joining the lab's network",
    )


def create(lab: Lab, machine: Machine, image: str, authorized_key: str) -> None:
    """Make the container of `machine` with its files, not yet started."""
    name = lab.container(machine)
    argv: list[str | Path] = ["podman", "create", "--name", name, "--hostname", machine.name]
    argv += ["--privileged", "--systemd=always", "--cgroupns=private", "--network", lab.prefix, "--ip", machine.address]
    argv += ["--stop-timeout", "20", "--no-hosts"]
    # Nobody answers there: names outside of the lab do not resolve, at once. podman's file would hide one of ours.
    argv += ["--dns", lab.balancer.address, "--dns-option", "timeout:1", "--dns-option", "attempts:1"]
    argv += ["--cpu-shares", str(SHARES[machine.role])]
    if not host.may_raise_limits():
        argv += ["--ulimit", "nofile=1024:20000", "--ulimit", "nproc=8192:8192"]
    for number, path in enumerate(VOLUMES[machine.role]):
        argv += ["--volume", f"{name}-{number}:{path}"]
    if machine.role == "balancer":
        for folder in ("registry", "packages"):
            (lab.cache / folder).mkdir(parents=True, exist_ok=True)
            argv += ["--volume", f"{lab.cache / folder}:/srv/{folder}"]
    run([*argv, image], what=f"making {machine.name}")
    files = _balancer_files(lab) if machine.role == "balancer" else _node_files(lab, machine, authorized_key)
    copy_in(name, {**files, **_common_files(lab)})


def start(lab: Lab, machine: Machine) -> None:
    """Start the container, also one that died behind the engine's back.

    podman learns the end of a container from a file that its monitor writes.
    Where the monitor was killed as well, podman believes for ever that the
    container runs; so the file is written in the monitor's place.
    """
    name = lab.container(machine)
    template = "{{.Id}} {{.State.Status}}"
    identifier, state = run(["podman", "inspect", "--format", template, name], what=f"looking at {name}").stdout.split()
    if state in ("running", "stopping") and EXITS.is_dir():
        (EXITS / identifier).write_text("137")
    run(["podman", "start", name], what=f"starting {machine.name}")


def share_processors(lab: Lab) -> None:
    """Give podman's group of containers the weight of as many groups as it has containers that run.

    To the kernel they are one group beside each other program of this host, so
    that one program, such as the controller, would get as much as all machines.
    """
    _weigh(_group(lab))


def _group(lab: Lab) -> str:
    """The group that the lab's containers are in; empty where there is none."""
    shown = run(["podman", "inspect", "--format", "{{.State.CgroupPath}}", lab.container(lab.balancer)], check=False)
    return shown.stdout.strip().lstrip("/").partition("/")[0]


def _weigh(group: str) -> None:
    containers = len(run(["podman", "ps", "--quiet"]).stdout.split())
    for file, one in ((f"cpu/{group}/cpu.shares", 1024), (f"{group}/cpu.weight", 100)):
        # It is a convenience, which a host that shows its groups only to read does without.
        with contextlib.suppress(OSError):
            if group and (CGROUPS / file).exists():
                (CGROUPS / file).write_text(str(one * max(containers, 1)))


def wait_booted(lab: Lab, machine: Machine) -> None:
    """Until systemd says that the boot is over."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    state = ""
    while time.monotonic() < deadline:
        state = execute(lab, machine, "systemctl", "is-system-running", check=False).stdout.strip()
        if state in ("running", "degraded"):
            return
        time.sleep(0.5)
    raise LabError(f"{machine.name} did not boot within {BOOT_TIMEOUT_S:.0f} s; systemd says {state or 'nothing'!r}")


def execute(
    lab: Lab, machine: Machine, *argv: str, stdin: str | None = None, timeout_s: float = 600, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command as root inside the machine."""
    interactive = ["--interactive"] if stdin is not None else []
    return run(
        ["podman", "exec", *interactive, lab.container(machine), *argv],
        what=f"on {machine.name}",
        stdin=stdin,
        timeout_s=timeout_s,
        check=check,
    )


def destroy(lab: Lab) -> list[str]:
    """Remove every container, volume and the network of the lab; return what was removed."""
    removed = []
    group = _group(lab)
    printed = run(["podman", "ps", "--all", "--filter", f"name=^{lab.prefix}-", "--format", "{{.Names}}"]).stdout
    names = printed.split()

    def remove(name: str) -> None:
        try:
            run(["podman", "rm", "--force", "--time", "2", "--volumes", name], timeout_s=120)
        except CommandError:
            # The engine trips once over a container whose processes vanished, and removes it then.
            run(["podman", "rm", "--force", "--time", "0", "--volumes", name], what=f"removing {name}", timeout_s=120)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(remove, names))
    _weigh(group)
    removed += names
    volumes = run(
        ["podman", "volume", "ls", "--filter", f"name=^{lab.prefix}-", "--format", "{{.Name}}"]
    ).stdout.split()
    for volume in volumes:
        run(["podman", "volume", "rm", "--force", volume], what=f"removing the volume {volume}")
    removed += volumes
    if run(["podman", "network", "exists", lab.prefix], check=False).returncode == 0:
        run(["podman", "network", "rm", "--force", lab.prefix], what="removing the lab's network")
        removed.append(lab.prefix)
    run(["ip", "route", "delete", "unreachable", lab.network, "metric", GUARD_METRIC], check=False)
    return removed


def remove_images(lab: Lab) -> None:
    """Remove the images of the lab's machines. One that another lab has too, by another name, loses this name only."""
    own = lab.image("")
    names = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split()
    if ours := [name for name in names if name.startswith(own)]:
        run(["podman", "rmi", *ours], what="removing the lab's images")


def _common_files(lab: Lab) -> dict[str, str]:
    hosts = "".join(f"{machine.address} {machine.name}\n" for machine in lab.machines)
    return {"/etc/hosts": f"127.0.0.1 localhost\n{hosts}"}


def _node_files(lab: Lab, machine: Machine, authorized_key: str) -> dict[str, str]:
    routes = "\n".join(
        f"ip route replace {other.pod_subnet} via {other.address}" for other in lab.nodes if other is not machine
    )
    values = {
        "balancer": lab.balancer.address,
        "pause": lab.release.pause,
        "restrict_oom_score_adj": "false" if host.may_raise_limits() else "true",
        "pod_subnet": machine.pod_subnet,
        "pod_network": lab.pod_network,
        "pod_routes": routes,
    }
    return {
        "/etc/containerd/config.toml": render("containerd.toml", values),
        "/etc/containerd/certs.d/_default/hosts.toml": render("hosts.toml", values),
        "/etc/cni/net.d/10-lab.conflist": render("cni.conflist", values),
        "/etc/lab/network.sh": render("network.sh", values),
        "/home/ops/.ssh/authorized_keys": authorized_key,
    }


def _balancer_files(lab: Lab) -> dict[str, str]:
    def servers(port: int, machines: list[Machine]) -> str:
        return "\n".join(f"    server {machine.name} {machine.address}:{port}" for machine in machines)

    values = {
        "api_servers": servers(6443, lab.control_plane),
        "web_servers": servers(30080, lab.workers or lab.control_plane),
    }
    return {"/etc/haproxy/haproxy.cfg": render("haproxy.cfg", values)}


def render(name: str, values: dict[str, str]) -> str:
    """The template of this name, filled in."""
    return Template((TEMPLATES / name).read_text()).substitute(values)


def copy_in(container: str, files: dict[str, str]) -> None:
    """Put files into a container, owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            data = content.encode()
            entry.size = len(data)
            entry.mode = 0o600 if path.endswith(".key") else 0o644
            entry.mtime = int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    run(["podman", "cp", "-", f"{container}:/"], what="writing files", stdin=buffer.getvalue())
