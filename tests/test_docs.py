"""The documentation is true: its examples run, its links lead somewhere, its references are current."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcsim.plugins import policy_class, policy_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
POLICY_PAGE = ROOT / "docs" / "how-to-add-a-policy.md"
EXAMPLE = re.compile(r"`(dcsim/[\w/]+\.py)`:\n\n```python\n(.*?)```.*?```python\n(.*?)```", re.DOTALL)
EXAMPLES = {
    Path(file): (policy, test) for file, policy, test in EXAMPLE.findall(POLICY_PAGE.read_text("utf-8"))
}


@pytest.fixture
def added_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's policies, as if their files stood in the package."""
    for file, (policy, _) in EXAMPLES.items():
        package = ".".join(file.parent.parts)
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / file.name).write_text(policy, encoding="utf-8")
        module = importlib.import_module(package)
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(folder)])
    policy_names.cache_clear()
    policy_class.cache_clear()
    yield
    for file in EXAMPLES:
        sys.modules.pop(".".join(file.with_suffix("").parts), None)
    monkeypatch.undo()
    policy_names.cache_clear()
    policy_class.cache_clear()


def test_the_page_shows_a_router_schedulers_and_an_arrival_process() -> None:
    assert {file.parent.name for file in EXAMPLES} == {"routers", "schedulers", "job_schedulers", "arrivals"}


@pytest.mark.parametrize("file", sorted(EXAMPLES), ids=lambda file: file.stem)
@pytest.mark.usefixtures("added_policies")
def test_the_policy_of_the_page_passes_the_test_of_the_page(file: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(EXAMPLES[file][1], str(POLICY_PAGE), "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_") and callable(value)]
    assert tests
    for test in tests:
        test()


@pytest.mark.usefixtures("added_policies")
def test_a_scenario_runs_with_the_policies_of_the_page() -> None:
    import dcsim

    traffic = {
        "arrivals": {"policy": "ramp", "rate": "4 /s", "ramp": "30 s"},
        "lengths": {"policy": "fixed", "prompt": 200, "output": 20},
    }
    serving = {
        "model": "llama-3.1-8b",
        "engine": "vllm",
        "num_replicas": 2,
        "router": {"policy": "first_fit", "max_outstanding": 4},
        "scheduler": {"policy": "one_prompt", "max_num_batched_tokens": 512, "max_num_seqs": 64},
        "traffic": traffic,
    }
    cluster = {"node": "dgx-h100", "num_nodes": 1}
    scenario = dcsim.load(
        {"name": "added", "duration": "30 s", "cluster": cluster, "serving": {"chat": serving}}
    )
    requests = dcsim.run(scenario, num_processes=1).tables.replications[0]["chat"].requests
    assert len(requests) > 0
    assert (requests["status"] == 0).all()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_scenarios_named_in_a_page_exist(page: Path) -> None:
    named = set(re.findall(r"\bscenarios/[\w.-]+\.yaml", page.read_text(encoding="utf-8")))
    assert not [name for name in named if not (ROOT / name).exists() and not name.endswith("/x.yaml")]


def test_the_scenarios_of_the_readme_load_and_their_fields_are_those_of_a_run() -> None:
    import dcsim

    page = (ROOT / "README.md").read_text(encoding="utf-8")
    served, trained = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    shorter = {"duration": "6 min", "warmup": "1 min", "replications": 1}
    result = dcsim.run(dcsim.load(served, overrides=shorter), num_processes=1)
    assert result.serving["chat"].ttft_s.p99.value > 0
    result = dcsim.run(dcsim.load(trained, overrides={"duration": "6 h"}), num_processes=1)
    assert result.training["pretrain"].productive_frac.value > 0.5


def test_the_examples_of_the_python_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("scenarios", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(text, "docs/python.md", "exec"), names)
    assert {"larger", "slowest", "guesses"} <= names.keys()


def test_every_public_name_is_on_the_python_page() -> None:
    import dcsim

    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    left_out = {"__version__", "Problem", "Estimate", "Result", "Scenario", "SimulationError"}
    assert not [name for name in set(dcsim.__all__) - left_out if not re.search(rf"\b{name}\b", page)]


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in ROOT.glob("docs/*.md") if f"]({page.name})" not in index] == ["README.md"]


def test_the_readme_lists_the_gallery_with_its_questions() -> None:
    import dcsim

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in sorted(ROOT.glob("scenarios/*.yaml")):
        assert f"| [{path.stem}](scenarios/{path.name}) | {dcsim.load(path).question} |" in readme


def test_the_architecture_names_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [path.parent.name for path in ROOT.glob("dcsim/*/__init__.py")]
    assert not [name for name in packages if f"`{name}`" not in page]


def test_files_named_in_the_architecture_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)`", page)
    assert named
    assert not [name for name in named if not any((ROOT / top / name).exists() for top in ("", "dcsim"))]


def test_the_generated_references_are_current() -> None:
    """Remedy: python docs/generate.py."""
    checked = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_scenario_reference_tells_the_keys_of_every_list_of_mappings() -> None:
    text = (ROOT / "docs" / "scenario-reference.md").read_text("utf-8")
    for key in re.findall(r"^\| `(\w+)` \| list of mapping", text, re.MULTILINE):
        told = rf"^(## [\w.]*\b{key}\.NUMBER$|`{key}`: )"
        assert re.search(told, text, re.MULTILINE), key
