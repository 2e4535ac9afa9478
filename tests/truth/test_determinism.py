"""Same scenario, same seed: the same bytes, whatever the number of processes."""

from __future__ import annotations

from pathlib import Path

from dcsim.result import Result
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.study.run import run

TEXT = """\
name: small
duration: 20 s
replications: 3
seed: {seed}
cluster: {{node: dgx-h100, num_nodes: 1}}
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    num_replicas: 4
    router: power_of_two
    traffic:
      arrivals: {{policy: gamma, rate: 20 /s, cv: 2}}
      lengths: {{policy: lognormal, prompt_mean: 300, output_mean: 50, cv: 1}}
      shared_prefix: {{tokens: 200, variants: 3}}
facility: {{site: us-iowa}}
"""


def scenario(seed: int = 1) -> Scenario:
    return load(TEXT.format(seed=seed))


def saved(result: Result, folder: Path) -> dict[str, bytes]:
    """What a result writes, but for the manifest, which says when and on what it was made."""
    result.save(folder)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "manifest.json"
    }


def test_serial_and_parallel_runs_write_the_same_bytes(tmp_path: Path) -> None:
    serial = saved(run(scenario(), num_processes=1), tmp_path / "serial")
    parallel = saved(run(scenario(), num_processes=2), tmp_path / "parallel")
    assert "summary.json" in serial
    assert any(name.endswith(".parquet") for name in serial)
    assert serial == parallel


def test_running_again_writes_the_same_bytes(tmp_path: Path) -> None:
    assert saved(run(scenario(), num_processes=1), tmp_path / "a") == saved(
        run(scenario(), num_processes=1), tmp_path / "b"
    )


def test_another_seed_gives_other_requests_and_each_replication_its_own(tmp_path: Path) -> None:
    one, other = (run(scenario(seed), num_processes=1) for seed in (1, 2))
    assert saved(one, tmp_path / "one")["summary.json"] != saved(other, tmp_path / "other")["summary.json"]
