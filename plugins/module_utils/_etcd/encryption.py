# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Encryption to public keys by age or GPG: recipients in the argument list, contents through pipes only."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import backup_names
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

_PROBE_S = 30.0
"""Seconds for a few bytes, and for the end of a program that has written all."""
_BLOCK = 1 << 17
_MOST_SAID = 400
_AGE_RECIPIENT = re.compile(r"age1[a-z0-9]+|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]+(?: [^\n]*)?")
_FINGERPRINT = re.compile(r"(?:0x)?(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})")


class EncryptionFailed(EtcdError):
    """Something could not be encrypted as it was asked for."""


@dataclass(frozen=True)
class Encryption:
    """A program that encrypts its standard input to its standard output."""

    argv: tuple[str, ...]
    suffix: str

    @property
    def program(self) -> str:
        return os.path.basename(self.argv[0])


def age_arguments(recipients: t.Sequence[str]) -> list[str]:
    """The arguments for age. Raises EncryptionFailed for what is no public key; it is not repeated in the message."""
    for number, recipient in enumerate(recipients, start=1):
        if not _AGE_RECIPIENT.fullmatch(recipient):
            raise EncryptionFailed(
                f"Entry {number} of age_recipients is no public key.", hint="Name age1... or ssh-ed25519/ssh-rsa keys."
            )
    return ["--encrypt", *(word for recipient in recipients for word in ("--recipient", recipient))]


def gpg_arguments(recipients: t.Sequence[str]) -> list[str]:
    """The arguments for gpg. Raises EncryptionFailed for what is neither a fingerprint nor a file."""
    words: list[str] = []
    for number, recipient in enumerate(recipients, start=1):
        fingerprint = recipient.replace(" ", "")
        if _FINGERPRINT.fullmatch(fingerprint):
            words += ["--recipient", fingerprint]
        elif recipient.startswith("/"):
            words += ["--recipient-file", recipient]
        else:
            # A name or an address may fit another key than the one that is meant.
            raise EncryptionFailed(
                f"Entry {number} of gpg_recipients is neither a whole fingerprint nor an absolute path.",
                hint="Name the 40 or 64 hexadecimal digits, or a file with the public key on the node.",
            )
    # Trust is what the fingerprint or the file says; compression is an option of its own.
    if "--recipient" not in words:
        # Keys from files alone need no keyring, and none is made.
        words += ["--no-options", "--no-keyring", "--no-random-seed-file"]
    return ["--batch", "--no-tty", "--quiet", "--trust-model", "always", "--compress-algo", "none", *words, "--encrypt"]


def find(age_recipients: t.Sequence[str], gpg_recipients: t.Sequence[str]) -> Encryption | None:
    """The encryption that is asked for, tried out; None where there is none.

    Raises EncryptionFailed where the program is not on this machine or refuses
    one of the recipients.
    """
    if not age_recipients and not gpg_recipients:
        return None
    if age_recipients and gpg_recipients:
        raise EncryptionFailed("age_recipients and gpg_recipients cannot both be set.")
    name = "age" if age_recipients else "gpg"
    words = age_arguments(age_recipients) if age_recipients else gpg_arguments(gpg_recipients)
    program = shutil.which(name)
    if not program:
        raise EncryptionFailed(
            f"{name} is not on this machine, and {name}_recipients asks for it.",
            hint=f"Install {'age' if age_recipients else 'gnupg'}, or save without encryption.",
        )
    found = Encryption((program, *words), backup_names.AGE if age_recipients else backup_names.GPG)
    if not b"".join(encrypted(found, [b"probe"], Deadline(_PROBE_S))):
        raise EncryptionFailed(f"{name} encrypted a probe to nothing.")
    return found


def encrypted(encryption: Encryption, blocks: t.Iterable[bytes], deadline: Deadline) -> t.Iterator[bytes]:
    """`blocks`, encrypted. Raises EncryptionFailed where the program fails, and what the blocks themselves raise."""
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(encryption.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        except OSError as error:
            raise EncryptionFailed(f"{encryption.argv[0]} could not be started: {error.strerror}.") from None
        sink, output = t.cast("t.IO[bytes]", process.stdin), t.cast("t.IO[bytes]", process.stdout)
        failures: list[BaseException] = []
        feeder = threading.Thread(target=_feed, args=(process, sink, blocks, failures), daemon=True)
        feeder.start()
        try:
            yield from _output(output, encryption, deadline)
            try:
                status = process.wait(deadline.clip(_PROBE_S))
            except subprocess.TimeoutExpired:
                raise EncryptionFailed(f"{encryption.program} did not end in time.") from None
        finally:
            process.kill()
            process.wait()
            feeder.join()
            output.close()
        if failures and not isinstance(failures[0], BrokenPipeError):
            raise failures[0]
        if status:
            said.seek(0)
            text = " ".join(said.read(_MOST_SAID).decode("utf-8", "replace").split())
            raise EncryptionFailed(
                f"{encryption.program} failed with exit code {status}: {text or 'it said nothing'}.",
                hint="Look at the recipients: each must be a public key that may encrypt and has not expired.",
            )
        if failures:
            raise EncryptionFailed(f"{encryption.program} did not take all of its input.")


def _output(output: t.IO[bytes], encryption: Encryption, deadline: Deadline) -> t.Iterator[bytes]:
    file = output.fileno()
    while True:
        if deadline.expired():
            raise EncryptionFailed(f"{encryption.program} did not end in time.")
        if not select.select([file], [], [], deadline.clip(1.0))[0]:
            continue
        block = os.read(file, _BLOCK)
        if not block:
            return
        yield block


def _feed(
    process: subprocess.Popen[bytes], sink: t.IO[bytes], blocks: t.Iterable[bytes], failures: list[BaseException]
) -> None:
    try:
        for block in blocks:
            sink.write(block)
        sink.close()
    except BrokenPipeError as error:
        # The program has ended before its input; where it failed, its exit code says why.
        failures.append(error)
    except BaseException as error:
        failures.append(error)
        process.kill()
    finally:
        with contextlib.suppress(OSError):
            sink.close()
