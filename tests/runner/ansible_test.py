# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-test without Docker, on a copy of the checkout, with nothing left in the user's home.

ansible-test wants a collection at .../ansible_collections/NAMESPACE/NAME that is
a git work tree, so the checkout's files are copied to such a place. It keeps its
virtual environments under $HOME and fetches the installer of pip for them from
a host of its own; here $HOME is a directory in .cache, and the installer is
taken from Python itself, so that a package index is all the network it needs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.metadata import files
from pathlib import Path

from runner.project import BIN, CACHE, ROOT, capture, project_files, run, say
from runner.results import Outcome, counted

COPY = CACHE / "ansible-test/ansible_collections/evergreen/kubeadm"
HOME = CACHE / "home"
OUTPUT = COPY / "tests/output/junit"
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
# As tests/config.yml promises for modules.
OLDEST_PYTHON = "3.9"

# ansible-test runs this in each new virtual environment as if it were get-pip.py.
GET_PIP = """\
import subprocess
import sys

# In a process of its own: ensurepip makes pip ignore every configuration file.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *packages]).returncode)
"""


def sanity() -> Outcome:
    """Every sanity test of ansible-test is one check, and those that depend on it again for the oldest Python."""
    outcome = _sanity(THIS_PYTHON)
    oldest = interpreter(OLDEST_PYTHON)
    if oldest is None:
        say(f"Python {OLDEST_PYTHON} is not on this machine: whether modules load on it is not checked")
        return outcome
    # After this virtual environment's programs, before interpreters on PATH that may only be a version manager's door.
    path = os.pathsep.join([str(BIN), str(oldest.parent), os.environ.get("PATH", os.defpath)])
    outcome.add(_sanity(OLDEST_PYTHON, "--test", "compile", "--test", "import", env={"PATH": path}))
    return outcome


def _sanity(python: str, *options: str, env: dict[str, str] | None = None) -> Outcome:
    options = (*options, "--exclude", "lab/")  # not part of the collection, and free to hold what its rules forbid
    outcome = _ansible_test("sanity", "--junit", "--python", python, *options, env=env)
    # One test that cannot be run at all ends ansible-test, and those after it have no report.
    listing = capture([BIN / "ansible-test", "sanity", "--list-tests", *options], cwd=COPY, env={"HOME": str(HOME)})
    outcome.failures += not_run(listing.stdout.split(), [report.stem for report in OUTPUT.glob("*.xml")])
    return outcome


def not_run(tests: list[str], reports: list[str]) -> list[str]:
    """A line for each of the sanity `tests` that left none of the `reports`, which are named after tests."""
    prefix = "ansible-test-sanity-"
    ran = {re.sub(r"-python-[0-9.]+$", "", report.removeprefix(prefix)) for report in reports}
    return [f"sanity::{test} was not run to its end" for test in tests if test not in ran]


def units() -> Outcome:
    """Every test case under tests/unit is one check."""
    # With the packages of this virtual environment: they are pinned, and are there already.
    workers = str(os.cpu_count() or 1)
    return _ansible_test("units", "--python", THIS_PYTHON, "--num-workers", workers)


def _ansible_test(command: str, *options: str, env: dict[str, str] | None = None) -> Outcome:
    copy_checkout()
    prepare_home()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    argv = [str(BIN / "ansible-test"), command, "--local", "--color", "no", *options]
    status = run(argv, cwd=COPY, env={"HOME": str(HOME), **(env or {})})
    return counted(f"ansible-test {command}", status, sorted(OUTPUT.glob("*.xml")))


def interpreter(version: str) -> Path | None:
    """A Python of that minor version that really starts: on PATH, or among those that pyenv holds."""
    on_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for candidate in candidates:
        if capture([candidate, "-c", "import ensurepip, venv"]).returncode == 0:
            return candidate
    return None


def copy_checkout() -> None:
    """Make COPY hold exactly the checkout's files, in a git work tree."""
    wanted = {name for name in project_files() if not name.startswith(".collections/")}
    for path in sorted(COPY.rglob("*"), reverse=True):
        name = path.relative_to(COPY).as_posix()
        if name == ".git" or name.startswith((".git/", "tests/output")):
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in wanted:
            path.unlink()
    for name in wanted:
        source, target = ROOT / name, COPY / name
        if _same(source, target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    if not (COPY / ".git").is_dir():
        made = capture(["git", "init", "--quiet", COPY])
        if made.returncode != 0:
            raise SystemExit(f"git init failed: {made.stderr.strip()}")


def _same(source: Path, target: Path) -> bool:
    if not target.exists() or source.is_symlink() or target.is_symlink():
        return False
    old, new = target.stat(), source.stat()
    return (old.st_size, old.st_mtime_ns, old.st_mode) == (new.st_size, new.st_mtime_ns, new.st_mode)


def prepare_home() -> None:
    """Put the pip installer and the user's pip settings where ansible-test's programs look for them."""
    installer = HOME / f".ansible/test/cache/get_pip_{_pip_version().replace('.', '_')}.py"
    installer.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text(GET_PIP)
    # ansible-test drops PIP_* variables, and the user's own file is not in this home.
    settings = pip_settings(capture([BIN / "pip", "config", "list"]).stdout)
    configuration = HOME / ".config/pip/pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(settings.items())))
    configuration.chmod(0o600)


def pip_settings(listing: str) -> dict[str, str]:
    """The settings about reaching packages in the output of `pip config list`; environment variables win."""
    about_packages = {"cert", "client-cert", "extra-index-url", "find-links", "index-url", "proxy", "trusted-host"}
    about_waiting = {"default-timeout", "timeout"}
    settings: dict[str, str] = {}
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        found = re.fullmatch(r"(?:global|install|user|site|:env:)\.([a-z-]+)='(.*)'", line.strip())
        if found and found[1] in about_packages | about_waiting:
            # pip prints a value of several lines with the characters \n.
            settings[found[1]] = found[2].replace("\\n", "\n    ")
    return settings


def _pip_version() -> str:
    """The version of pip that this ansible-test puts into its virtual environments."""
    for file in files("ansible-core") or []:
        if file.match("ansible_test/_internal/python_requirements.py"):
            found = re.search(r"\bpip='([0-9.]+)'", file.read_text())
            if found:
                return found[1]
    raise SystemExit("this ansible-core does not say which pip ansible-test wants")
