# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Have the images of a version on a control-plane node, and end at the first one that cannot be pulled.

``kubeadm config images pull`` asks the registry for images that are there,
asks for each five times whatever the answer is, says nothing of it before the
end, and has no option for either. So kubeadm names the images and the runtime
is asked for them one by one, with the call that kubeadm makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.cri import ImageService, NotPulled

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

PAUSE_S = 3.0
"""Between two attempts."""
BOUNDS = decisions.Bounds(attempts=3, retry_s=20.0)
"""Where nobody says otherwise."""
_LIST_S = 60.0
_SYNC_S = 60.0
_STORES = ("/var/lib/containerd", "/var/lib/containers")
"""Where containerd and CRI-O keep images, if nobody moved it."""


class ImagesError(EvergreenError):
    """The images are not there, and could not be had."""


def listed(kubeadm: str, configuration: t.Mapping[str, t.Any], deadline: Deadline) -> list[str]:
    """The images that kubeadm of a version deploys with a configuration, in its order. Raises ImagesError."""
    command = [kubeadm, "config", "images", "list", "--config", "/dev/stdin"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(configuration).encode(),
            capture_output=True,
            timeout=max(1.0, deadline.clip(_LIST_S)),
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ImagesError(f"kubeadm config images list failed: {error}.") from None
    images = done.stdout.decode("utf-8", "replace").split()
    if done.returncode or not images:
        said = decisions.plain(done.stderr.decode("utf-8", "replace")) or "it named no image"
        raise ImagesError(f"kubeadm config images list failed with {done.returncode}: {said}.")
    return images


def missing(service: ImageService, images: t.Sequence[str]) -> list[str]:
    """Those that the node does not have. Raises RuntimeAway."""
    return [image for image in images if not service.present(image)]


def pull(
    service: ImageService, images: t.Sequence[str], node: str, bounds: decisions.Bounds, deadline: Deadline
) -> t.Iterator[tuple[str, float]]:
    """(image, seconds) of each that was pulled. Raises ImagesError at the first that cannot be, and RuntimeAway."""
    for image in images:
        begin = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            answer = _refusal(service, image, deadline)
            if answer is None:
                break
            elapsed = time.monotonic() - begin
            if deadline.expired() or not decisions.again(answer, attempt, elapsed, bounds):
                message, hint = decisions.failure(image, answer, node, attempt, elapsed)
                raise ImagesError(
                    message,
                    hint=hint,
                    result={
                        "failure": {
                            "image": image,
                            "answer": decisions.plain(answer.said),
                            "attempts": attempt,
                            "seconds": round(elapsed, 1),
                        }
                    },
                )
            deadline.sleep(PAUSE_S)
        _write_to_disk(deadline)
        yield image, time.monotonic() - begin


def _write_to_disk(deadline: Deadline) -> None:
    """Have the disk written now. The kernel does so half a minute later and all at once, and etcd on it waits."""
    for store in filter(os.path.isdir, _STORES):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = ["sync", "--file-system", store]
            subprocess.run(command, capture_output=True, timeout=max(1.0, deadline.clip(_SYNC_S)), check=False)


def _refusal(service: ImageService, image: str, deadline: Deadline) -> decisions.Answer | None:
    """What the runtime answered where it did not pull the image; None where it did."""
    try:
        service.pull(image, max(1.0, deadline.clip(float("inf"))))
    except NotPulled as error:
        return error.answer
    return None
