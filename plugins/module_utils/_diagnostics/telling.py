# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which few lines of what a node says name the cause of a failure. Pure: the time is handed in.

A control plane that restarts complains a lot and means nothing by it. So a
cause that does not pass by itself counts wherever it was said, while one that
passes counts only if it was said just before the node was looked at. What was
said before `since` counts in neither case: an earlier run has had its own
failures, and they are not this one's.

All times are by the clock of the node.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

RECENT_S = 120
"""How long before the look a passing cause may have been said."""
MOST_LINES = 4
MOST_CHARACTERS = 400


class Source(t.NamedTuple):
    """What one source says. `written` is when a file was last written; None for what was asked just now."""

    name: str
    text: str
    written: datetime | None = None


class _Line(t.NamedTuple):
    """`at` is when it was said, also where the time stands in a line before it only."""

    text: str
    at: datetime | None


@dataclass(frozen=True)
class Cause:
    """One cause by the words that it is known by. `only` narrows it to lines with those words, too."""

    kind: str
    words: str
    passing: bool = False
    only: str = ""


@dataclass(frozen=True)
class Told:
    """A line that names a cause."""

    kind: str
    source: str
    line: str
    at: str

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "source": self.source, "line": self.line, "at": self.at}


# The first that is found is named first.
CAUSES = (
    Cause("disk_full", r"no space left on device|disk quota exceeded|\bENOSPC\b|\((?:space|inodes) used up\)"),
    Cause("read_only", r"read-only file system|\bI/O error\b|input/output error"),
    Cause("out_of_memory", r"out of memory: kill|OOMKilled|oom-kill:|cannot allocate memory"),
    Cause(
        "unknown_flag",
        r"unknown (?:shorthand )?flag|flag provided but not defined|invalid argument .{1,200} for .{1,100} flag"
        r"|unrecognized feature gate|feature gate .{1,100} is locked|cannot set feature gate",
    ),
    Cause(
        "bad_configuration",
        r"failed to load kubelet config|strict decoding error|failed to validate kubelet configuration"
        r"|could not process manifest file|couldn't parse as pod|unknown admission plugin|invalid configuration",
    ),
    Cause(
        "image_pull",
        r"failed to pull (?:and unpack )?image|error pulling image|ErrImagePull|ImagePullBackOff|InvalidImageName"
        r"|manifest unknown|pull access denied|\[ERROR ImagePull\]",
        # A worker has images of its users, too.
        only=r"kube-system|\[ERROR ImagePull\]|registry\.k8s\.io|/(?:kube-|etcd|coredns|pause)",
    ),
    Cause(
        "certificate",
        r"certificate has expired|x509: |certificate signed by unknown authority|remote error: tls: (?!bad record)",
    ),
    Cause("port_in_use", r"address already in use"),
    Cause("preflight", r"\[ERROR [A-Za-z][\w-]*\]"),
    Cause("panic", r"^(?:.*\s)?panic: |^(?:.*\s)?fatal error: |\bsegmentation fault\b"),
    Cause(
        "etcd_storage", r"database space exceeded|alarm:? ?(?:NOSPACE|CORRUPT)|mvcc: .*corrupt|wal: .*(?:crc|corrupt)"
    ),
    Cause(
        "etcd_unreachable",
        r"^\S+ NOT OK: |:2379\D.{0,80}(?:connection refused|i/o timeout|deadline exceeded|no route to host)"
        r"|etcdserver: (?:no leader|request timed out|leader changed)|etcd did not answer|etcd member .{1,60} unhealthy"
        r"|rafthttp.{0,200}(?:refused|timeout)|failed to reach the peer",
        passing=True,
    ),
    Cause(
        "runtime_down",
        r"container runtime (?:is down|is not running|network not ready)|validate service connection"
        r"|(?:containerd|crio)\.sock.{0,80}(?:refused|no such file)",
        passing=True,
    ),
    Cause("network_plugin", r"cni plugin not initialized|NetworkPluginNotReady|failed to setup network", passing=True),
    Cause("disk_pressure", r"low on resource: |DiskPressure|attempting to reclaim", passing=True),
    Cause(
        "crash_loop",
        r"CrashLoopBackOff|back-off \S+ restarting failed container",
        passing=True,
        only=r"kube-system|kube-apiserver|etcd|kube-controller-manager|kube-scheduler",
    ),
    Cause(
        "api_unreachable",
        r":6443\D.{0,80}(?:connection refused|i/o timeout|no route to host|deadline exceeded)",
        passing=True,
    ),
)
_COMPILED = tuple(
    (each, re.compile(each.words, re.IGNORECASE), re.compile(each.only, re.IGNORECASE)) for each in CAUSES
)
_ERROR = re.compile(
    r"(?:^|\s|\])[EF]\d{4} \d\d:|\blevel=(?:error|fatal)\b|\"level\":\"(?:error|fatal|panic)\"|^.{0,60}\bError: "
)
_COMPONENT = re.compile(
    r"kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|coredns|\betcd\b|\bkubelet\b"
)
_RFC_3339 = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?"
_TIME = re.compile(_RFC_3339)
# Docker's own log of a container, a JSON object a line; Go writes the keys in their order, the time last.
_TIME_OF_DOCKER = re.compile(rf'"time":"{_RFC_3339}"\}}\s*$')
# klog says neither the year nor the zone, which is that of the process.
_TIME_OF_KLOG = re.compile(r"^[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)[. ]")
_PREFIX = re.compile(
    # The node's own name and process id, or the stream of a container, say nothing here.
    r"^\S*\d{4}-\d\d-\d\d[T ]\S+\s+(?:(?:stdout|stderr) [FP]\s+|\S+\s+[\w./@-]+\[\d+\]:\s+)?"
)


def telling(
    sources: t.Sequence[Source], now: datetime, component: str = "", since: datetime | None = None
) -> list[Told]:
    """At most four lines, the most certain cause first; one line a cause.

    `component` is the one that is known to have failed. Where no cause is
    found, its last line that is an error is given. What was said before
    `since` is passed over.
    """
    ordered = [
        (source.name, said_since(source, now, since))
        for source in sorted(sources, key=lambda source: not (component and component in source.name))
    ]
    found: list[Told] = []
    for cause, words, only in _COMPILED:
        told = _last(cause, words, only, ordered, now)
        if told and told.line not in [each.line for each in found]:
            found.append(told)
    lasting = {cause.kind for cause in CAUSES if not cause.passing}
    if any(told.kind in lasting for told in found):
        found = [told for told in found if told.kind in lasting]
    if not found and component:
        found = _last_error([(name, lines) for name, lines in ordered if component in name], now)
    return found[:MOST_LINES]


def said_since(source: Source, now: datetime, since: datetime | None) -> list[_Line]:
    """The lines of a source with their times, without those that were said before `since`.

    A line without a time was said with the one before it that has one: log
    lines that go on, and what kubeadm prints between those of its log. Without
    any it was said when its file was last written, at the latest, and where it
    is no file it is about now.
    """
    lines: list[_Line] = []
    at: datetime | None = None
    # Times of lines are whole seconds here.
    since = since and since.replace(microsecond=0)
    for text in source.text.splitlines():
        at = moment(text, now) or at
        last = at or source.written
        if since is None or last is None or last >= since:
            lines.append(_Line(text, at))
    return lines


def component_in(failure: str) -> str:
    """The component that a message names first; empty where it names none."""
    found = _COMPONENT.search(failure)
    return found[0] if found else ""


def moment(line: str, now: datetime) -> datetime | None:
    """The time that a line of a log has, in UTC; None without one.

    journalctl and container logs say it in full, also before the line of klog
    that they hold. `now` has the year and the zone that klog does not say.
    """
    match = _TIME.search(line[:80]) or _TIME_OF_DOCKER.search(line[-60:])
    if not match:
        return _moment_of_klog(line, now)
    zone = (match[3] or "Z").replace("Z", "+00:00")
    zone = zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").astimezone(timezone.utc)
    except ValueError:
        return None


def _moment_of_klog(line: str, now: datetime) -> datetime | None:
    match = _TIME_OF_KLOG.match(line)
    if not match:
        return None
    month, day, hour, minute, second = (int(part) for part in match.groups())
    for year in (now.year, now.year - 1):
        try:
            at = datetime(year, month, day, hour, minute, second, tzinfo=now.tzinfo)
        except ValueError:
            continue  # the 29th of February
        # A day of slack: at the turn of the year the line is of the one before.
        if at <= now + timedelta(days=1):
            return at.astimezone(timezone.utc)
    return None


def _last(
    cause: Cause,
    words: re.Pattern[str],
    only: re.Pattern[str],
    sources: t.Sequence[tuple[str, list[_Line]]],
    now: datetime,
) -> Told | None:
    """The last line of the first source that names the cause."""
    for name, lines in sources:
        for line, at in reversed(lines):
            if not words.search(line) or not only.search(line):
                continue
            if cause.passing and (at is None or now - at > timedelta(seconds=RECENT_S)):
                break  # all lines before it are older
            return _told(cause.kind, name, line, at)
    return None


def _last_error(sources: t.Sequence[tuple[str, list[_Line]]], now: datetime) -> list[Told]:
    for name, lines in sources:
        for line, at in reversed(lines):
            if _ERROR.search(line) and (at is None or now - at <= timedelta(seconds=RECENT_S)):
                return [_told("error", name, line, at)]
    return []


def _told(kind: str, source: str, line: str, at: datetime | None) -> Told:
    said = _PREFIX.sub("", line).strip()
    if len(said) > MOST_CHARACTERS:
        said = said[:MOST_CHARACTERS] + " ..."
    return Told(kind, source, said, at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "")
