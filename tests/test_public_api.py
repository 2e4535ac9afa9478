import subprocess
import sys
from pathlib import Path

import pytest

import dcsim

ROOT = Path(__file__).parents[1]


def test_every_public_name_can_be_had():
    for name in dcsim.__all__:
        assert getattr(dcsim, name) is not None
    assert set(dcsim.__all__) <= set(dir(dcsim))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = dcsim.simulate


def modules_after(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_dcsim_imports_nothing_heavy():
    assert not modules_after("import dcsim") & {
        "numpy",
        "pydantic",
        "pandas",
        "pyarrow",
        "pint",
        "rich",
        "simpy",
    }


def test_the_command_line_imports_tables_and_reports_only_when_used():
    assert not modules_after("import dcsim.cli") & {"pandas", "pyarrow", "pint", "plotly"}


def test_the_version_is_that_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project.get("version", dcsim.__version__) == dcsim.__version__
