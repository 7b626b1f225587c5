# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The folder of patches that kubeadm gets: the user's, and flags beside those of its configuration.

It applies the patches of a component in the order of their names.
"""

from __future__ import annotations

import json
import os
import shutil
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

SUFFIX = "~evergreen+json.json"
"""After every other name of the same target: what it adds is added to what the user's patches left."""


class PatchesError(EvergreenError):
    """Patches that could not be put together."""


def patch(words: t.Sequence[str], place: int) -> bytes:
    """A JSON patch (RFC 6902) that adds words to the command of a container of a static pod."""
    operations = [{"op": "add", "path": f"/spec/containers/{place}/command/-", "value": word} for word in words]
    return (json.dumps(operations, indent=2) + "\n").encode()


def compose(folder: str, user: str, words: t.Mapping[str, t.Sequence[str]], places: t.Mapping[str, int]) -> None:
    """Make `folder` anew with the files of the folder `user`, where it is given, and `words` by component.

    `places` say which container of a component's pod is its own. Raises PatchesError.
    """
    try:
        remove(folder)
        _node_state.make_folder(folder)
        for name in sorted(os.listdir(user)) if user else []:
            path = os.path.join(user, name)
            # kubeadm does not read folders below.
            if os.path.isfile(path):
                shutil.copyfile(path, os.path.join(folder, name))
        for component, added in words.items():
            if added:
                _node_state.replace(
                    os.path.join(folder, f"{component}{SUFFIX}"), patch(added, places.get(component, 0))
                )
    except OSError as error:
        raise PatchesError(
            f"The patches for kubeadm could not be put together in {folder}: {error.filename}: {error.strerror}.",
            hint="See that the folder in the option patches is there, and that the disk is not full.",
        ) from None


def remove(folder: str) -> None:
    """Remove the folder that `compose` made, if it is there."""
    if os.path.lexists(folder):
        shutil.rmtree(folder)
