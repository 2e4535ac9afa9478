"""An installed wheel offers what a checkout does, declares what it imports, and imports lightly."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTION_OF = {"yaml": "pyyaml"}
HEAVY = {"numpy", "pandas", "pyarrow", "pint", "rich", "plotly", "simpy", "torch", "pydantic", "networkx"}
EXTRA_ONLY = {"torch", "streamlit", "plotly", "ruamel", "distributed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed (no network)."""
    pytest.importorskip("hatchling", reason="the build backend is not installed: pip install '.[dev]'")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("dcsim-*.whl")
    return built


@pytest.fixture(scope="module")
def installed_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which borrows the dependencies of this one."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def run(python: Path, *arguments: str, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_the_catalogue_and_the_gallery(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {str(file.relative_to(ROOT)) for file in (ROOT / "dcsim").rglob("*.py")}
    entries = {str(file.relative_to(ROOT)) for file in (ROOT / "dcsim" / "catalog").rglob("*.yaml")}
    gallery = {f"dcsim/gallery/{file.name}" for file in (ROOT / "scenarios").glob("*.yaml")}
    pages = {"dcsim/app/.streamlit/config.toml", "dcsim/app/editor/editor.js", "dcsim/app/editor/editor.css"}
    pages |= {str(file.relative_to(ROOT)) for file in (ROOT / "dcsim" / "app" / "texts").glob("*.yaml")}
    assert package | entries | gallery | pages | {"dcsim/py.typed"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"dcsim"}


def test_the_installed_command_runs_a_scenario_of_the_gallery(installed_python: Path, tmp_path: Path) -> None:
    where = run(installed_python, "-c", "import dcsim; print(dcsim.__file__)", cwd=tmp_path)
    assert str(installed_python.parent.parent) in where
    command = "from dcsim.cli import main; main()"
    assert re.search(r"\d+\.\d+\.\d+", run(installed_python, "-c", command, "--version", cwd=tmp_path))
    options = ("--set", "replications=1", "--set", "duration=2 min", "--set", "warmup=0")
    assert "azure-conv" in run(installed_python, "-c", command, "run", "azure-conv", *options, cwd=tmp_path)


def test_every_import_is_a_declared_dependency() -> None:
    requirements = importlib.metadata.requires("dcsim") if is_installed() else declared()
    names = {re.split(r"[^\w-]", text)[0].lower() for text in requirements or [] if "extra ==" not in text}
    imported: set[str] = set()
    for file in (ROOT / "dcsim").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"dcsim", "pydantic_core"} - EXTRA_ONLY
    assert {DISTRIBUTION_OF.get(name, name) for name in foreign} <= names


def is_installed() -> bool:
    return any(found.metadata["Name"] == "dcsim" for found in importlib.metadata.distributions())


def declared() -> list[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def test_importing_dcsim_loads_nothing_heavy() -> None:
    asked = [sys.executable, "-c", "import dcsim, sys; print(*{name.split('.')[0] for name in sys.modules})"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    loaded = subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_constraints_name_versions_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[\w.]+", pin) for pin in pins)


@pytest.mark.parametrize("script", ["run", ".ci/run", "benchmarks/setup_peers.sh"])
def test_scripts_are_executable_and_well_formed(script: str) -> None:
    file = ROOT / script
    assert os.access(file, os.X_OK)
    shell = "bash" if script == ".ci/run" else "sh"
    subprocess.run([shell, "-n", str(file)], check=True)
