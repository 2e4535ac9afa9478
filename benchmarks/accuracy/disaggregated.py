"""Truth file of measured deployments with disaggregated prefill under closed-loop load.

    python -m benchmarks.accuracy.disaggregated serving_closed_loop.csv -o tests/published/disaggregated.csv

Reads the rows of mode "disagg" of the table that ``closed_loop.py`` reads, by its rules, with the columns
(prefill|decode)_(num_workers|tp_size|attention_dp_size|moe_ep_size). Most of them do not say how many workers
there were, or ran attention in data parallel: they are counted by reason and left out.

- The rows of GB200 and GB300 are InferenceX runs inside one NVL72 rack, which is taken for one node: KV
  caches go over NVLink. Their kernels are those of the B200 profile (catalogue: estimates). Without
  speculative decoding, as the TPOT at small concurrency says.
- The row of Qwen3-32B (15,000 tokens in, 500 out) gives its lengths only: 0.9 to 1.1 of them are taken.
- Engines' options are those of the runs on one replica; how often SGLang's scheduler looks for requests is
  not known of these runs, and is left at every step.

Nothing of dcsim was fitted on any of these rows.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.accuracy.closed_loop import INFERENCEX_SPREAD, MODELS, NODES, OTHER_SPREAD
from benchmarks.accuracy.closed_loop_settings import Run, engine_settings, precision_settings
from benchmarks.accuracy.truth_csv import Row, groups, write_truth_file, yaml_flow

SOURCE = "AIConfigurator silicon_sample.csv"
BASE = "disaggregated.yaml"
RUN = "serving.run"
RACKS = {"gb200": "gb200-nvl72", "gb300": "gb300-nvl72"}
ACCELERATORS_PER_NODE = {"dgx-h100": 8, "dgx-h200": 8, "dgx-b200": 8, "gb200-nvl72": 72, "gb300-nvl72": 72}
REQUESTS_PER_CLIENT = 10
POOLS = ("prefill", "decode")
_CONCURRENCY = re.compile(r"silicon_concurrency=(\d+)")


def reason_to_leave_out(line: Mapping[str, str]) -> str:
    """Why dcsim cannot run a row; empty if it can."""
    if any(not line[f"{pool}_num_workers"] for pool in POOLS):
        return "number of prefill or decode workers not stated"
    if any(_size(line, f"{pool}_attention_dp_size") > 1 for pool in POOLS):
        return "attention data parallelism is not modelled"
    if line["model_path"] not in MODELS:
        return f"{line['model_path']} is not in the catalogue"
    if line["system"] not in {**NODES, **RACKS}:
        return f"no profile of {line['system']}"
    return ""


def row(line: Mapping[str, str]) -> Row:
    """A row of the truth file."""
    model, device = MODELS[line["model_path"]], line["system"].removesuffix("_sxm")
    node = {**NODES, **RACKS}[line["system"]]
    found = _CONCURRENCY.search(line["silicon_data_source"])
    assert found is not None
    concurrency, prompt, output = int(found.group(1)), int(line["isl"]), int(line["osl"])
    backend, precision = line["backend"], line["precision"]
    run = Run(model, backend, precision, _parallelism(line, "decode")["tensor"], concurrency, prompt, output)
    spread = INFERENCEX_SPREAD if device in RACKS else OTHER_SPREAD
    lengths = {
        name: [int(ratio * size) for ratio in spread]
        for name, size in (("prompt", prompt), ("output", output))
    }
    settings = {
        **_hardware(line, node),
        "model": model,
        "precision": precision_settings(model, backend, device, precision),
        **engine_settings(run),
        "traffic.lengths": yaml_flow({"policy": "quantiles", "probabilities": [0, 1], **lengths}),
        "traffic.arrivals.concurrency": str(concurrency),
        "traffic.num_requests": str(REQUESTS_PER_CLIENT * concurrency),
    }
    settings["scheduler"] = _without_looks(settings["scheduler"])
    ttft_s, tpot_s = float(line["silicon_ttft_ms"]) / 1e3, float(line["silicon_tpot_ms"]) / 1e3
    kinds = (f"model:{model}", f"device:{device}", f"engine:{backend}", f"precision:{precision}")
    return {
        "run": line["id"],
        "group": groups("disaggregated", *kinds, f"lengths:{prompt}/{output}"),
        "split": "held_out",
        "source": SOURCE,
        "base": BASE,
        **{
            f"set.{path if path.startswith('cluster.') else f'{RUN}.{path}'}": value
            for path, value in settings.items()
        },
        f"measured.{RUN}.e2e_s.mean": ttft_s + (sum(spread) / 2 * output - 1) * tpot_s,
        f"measured.{RUN}.tpot_s.mean": tpot_s,
        f"measured.{RUN}.ttft_s.mean": ttft_s,
    }


def rows(path: Path, left_out: Counter[str]) -> list[Row]:
    """The rows that can be run, as the table has them; others are counted in ``left_out`` by reason."""
    found: list[Row] = []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["mode"] != "disagg":
                continue
            reason = reason_to_leave_out(line)
            if reason:
                left_out[reason] += 1
            else:
                found.append(row(line))
    return found


def _hardware(line: Mapping[str, str], node: str) -> dict[str, str]:
    """As many nodes as both pools take, and their replicas."""
    sizes = {pool: _size(line, f"{pool}_num_workers") for pool in POOLS}
    spreads = {pool: _parallelism(line, pool) for pool in POOLS}
    num_accelerators = sum(sizes[pool] * spreads[pool]["tensor"] for pool in POOLS)
    prefill = {"num_replicas": sizes["prefill"], "parallelism": spreads["prefill"]}
    return {
        "cluster.node": node,
        "cluster.num_nodes": str(-(-num_accelerators // ACCELERATORS_PER_NODE[node])),
        "parallelism": yaml_flow(spreads["decode"]),
        "num_replicas": str(sizes["decode"]),
        "prefill": yaml_flow(prefill),
    }


def _parallelism(line: Mapping[str, str], pool: str) -> dict[str, int]:
    """Tensor- and expert-parallel ranks of a worker."""
    tensor, expert = max(_size(line, f"{pool}_tp_size"), 1), _size(line, f"{pool}_moe_ep_size")
    return {"tensor": tensor, "expert": expert} if expert > 1 else {"tensor": tensor}


def _without_looks(scheduler: str) -> str:
    """The scheduler's options without how often requests are looked for."""
    return re.sub(r", admission_(interval|wait): \d+", "", scheduler)


def _size(line: Mapping[str, str], column: str) -> int:
    return int(float(line[column] or 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    left_out: Counter[str] = Counter()
    print(f"{options.output}: {write_truth_file(options.output, rows(options.csv, left_out))} runs")
    for reason, num_rows in left_out.most_common():
        print(f"left out: {num_rows:5d}  {reason}")


if __name__ == "__main__":
    main()
