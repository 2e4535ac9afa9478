"""Starting the dashboard: Streamlit with its settings, on this machine only unless told otherwise."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dcsim import Problem, ScenarioError

SCRIPT = Path(__file__).with_name("dashboard.py")
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8501
_NEEDED = ("streamlit", "plotly", "ruamel.yaml")
_SECRETS = Path(".streamlit") / "secrets.toml"


def run_dashboard(host: str, port: int, workspace: Path | None) -> int:
    """Serve the dashboard until Ctrl-C; the server's exit code.

    Raises ScenarioError where the extra is not installed.
    """
    require_extra()
    command = [sys.executable, "-m", "dcsim.app.serve", "run", str(SCRIPT)]
    command += ["--server.address", host, "--server.port", str(port)]
    environment = dict(os.environ)
    if workspace is not None:
        environment["DCSIM_WORKSPACE"] = str(workspace.resolve())
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


def require_extra() -> None:
    """Raise ScenarioError that says how to install what the dashboard needs, if anything lacks."""
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        message = f"the dashboard needs {', '.join(missing)}, which is not installed"
        raise ScenarioError(
            Problem(message, file="dashboard", remedy="Install it: pip install 'dcsim[dashboard]'")
        )


def exposure_warning(host: str, environment: Mapping[str, str]) -> str | None:
    """What to tell somebody who serves other machines; None where only this one is served.

    With an identity provider in Streamlit's secrets people have to log in, and it is a shorter word.
    """
    if is_loopback(host):
        return None
    if any((folder / _SECRETS).is_file() for folder in (Path.cwd(), Path(environment.get("HOME", "/")))):
        return f"warning: {host} is reached from other machines; traffic is not encrypted by dcsim itself"
    return (
        f"warning: {host} is reached from other machines, and nobody is asked for a password: whoever gets "
        "there sees every run, uploads files and uses this machine's processors. Put a login in front of it "
        "(docs/dashboard.md)"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
