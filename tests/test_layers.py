"""The one-way street: imports point down, wherever in a file they stand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dcsim"
LAYERS = (
    {"errors", "units", "plugins", "strict_yaml", "model_walk", "validation", "version"},
    {"formulas"},
    {"policies", "workloads", "networks", "topologies", "catalog", "tables"},
    {"spec"},
    {"sim"},
    {"metrics"},
    {"result"},
    {"study"},
    {"report"},
    {"calibration"},
    {"__init__"},
    {"app"},
    {"cli", "__main__"},
)
RANDOM_TYPES = ("Generator", "PCG64", "Philox", "SeedSequence", "BitGenerator")
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def part_of(module: str) -> str:
    """The first name below dcsim: ``dcsim.spec.loader`` -> ``spec``; dcsim itself is ``__init__``."""
    return ([*module.split("."), "__init__"])[1]


def imports(file: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every module a file imports, with the statement; ``from a import b`` gives module a.b if it is one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                inner = ROOT.joinpath(*base.split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield node, f"{base}.{alias.name}" if is_module else base


def own_imports(file: Path) -> set[str]:
    return {name for _, name in imports(file) if name.split(".")[0] == "dcsim"}


def imports_when_run(file: Path) -> set[str]:
    """Our own imports, without those that only a type checker sees."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    lines = {line for node in guarded for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return {
        name for node, name in imports(file) if name.split(".")[0] == "dcsim" and node.lineno not in lines
    }


def test_imports_point_down() -> None:
    upward = {
        (module_name(file), name)
        for file in FILES
        for name in own_imports(file)
        if LAYER_OF[part_of(name)] > LAYER_OF[part_of(module_name(file))]
    }
    assert not upward, "imports from a higher layer"


def test_no_module_imports_itself_through_others() -> None:
    graph = {module_name(file): imports_when_run(file) - {module_name(file)} for file in FILES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(graph) <= set(order)


def test_only_the_simulation_imports_simpy_and_only_some_parts_their_extras() -> None:
    roots = {(part_of(module_name(file)), name.split(".")[0]) for file in FILES for _, name in imports(file)}
    assert {part for part, root in roots if root == "simpy"} <= {"sim"}
    extras = {"torch", "scipy", "sklearn", "psutil", "pynvml", "flash_attn"}
    assert {part for part, root in roots if root in extras} <= {"calibration"}
    assert {part for part, root in roots if root in {"streamlit", "ruamel", "plotly"}} <= {"app"}


def test_the_dashboard_uses_the_public_interface_only() -> None:
    inside = {
        (module_name(file), name)
        for file in FILES
        if part_of(module_name(file)) == "app"
        for name in own_imports(file)
        if name != "dcsim" and not name.startswith("dcsim.app")
    }
    assert not inside, "the pages show what `import dcsim` offers to everybody"


def test_imports_are_absolute_and_name_what_they_take() -> None:
    froms = [node for file in FILES for node, _ in imports(file) if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 for node in froms)
    assert all(alias.name != "*" for node in froms for alias in node.names)


def test_randomness_comes_from_named_streams() -> None:
    trees = {module_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
    attributes = {
        (name, ast.unparse(node))
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    drawn = {(name, text) for name, text in attributes if text.startswith(("np.random.", "numpy.random."))}
    assert not {(name, text) for name, text in drawn if text.split(".")[2] not in RANDOM_TYPES}
    assert not {module_name(file) for file in FILES for _, name in imports(file) if name == "random"}


def test_every_part_of_the_package_has_a_layer() -> None:
    parts = {part_of(module_name(file)) for file in FILES}
    assert parts <= set(LAYER_OF)


def test_files_stay_short_enough_to_read() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES
    }
    assert not {name: lines for name, lines in lengths.items() if lines > 400}
