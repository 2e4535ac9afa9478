"""Measure dcsim's speed and memory beside Vidur's, in one go; --write puts the table into RESULTS.md.

usage: python benchmarks/speed.py [--repeats 3] [--only CASE ...] [--write]

Every measurement is a process of its own (so that its peak memory is its own), on one core; the tools take
turns; the figure is the median. Two files that are not part of dcsim are found through the environment:

DCSIM_VIDUR_PYTHON    interpreter of Vidur's environment (see setup_peers.sh); else only dcsim is measured
DCSIM_SHARED          folder with the Azure trace and Vidur's prediction tables (default ../shared)
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DCSIM_SHARED", ROOT.parent / "shared"))
AZURE_TRACE = SHARED / "traces" / "azure_llm_2023" / "AzureLLMInferenceTrace_conv.csv"
VIDUR_TABLES = SHARED / "golden" / "vidur" / "pred_tables_llama2-70b_tp2_a100dgx_ms.npz"
VIDUR_PYTHON = os.environ.get("DCSIM_VIDUR_PYTHON", "")
MAX_TOKENS = 4096  # Vidur's tables end here: prompts are cut as Vidur cuts them, for both tools
MICROSECOND_DIGITS = 26  # of a timestamp with seven decimals
MEGABYTE = 1e6
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
BEGIN, END = "<!-- speed: begin -->\n", "<!-- speed: end -->\n"
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Measured = Mapping[str, float]


def cut_trace(folder: Path) -> tuple[Path, Path]:
    """The Azure trace with prompts cut, in Azure's columns for dcsim and in Vidur's."""
    with AZURE_TRACE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first_at = datetime.fromisoformat(rows[0]["TIMESTAMP"][:MICROSECOND_DIGITS])
    ours, theirs = folder / "azure.csv", folder / "vidur.csv"
    with ours.open("w", encoding="utf-8") as azure, theirs.open("w", encoding="utf-8") as vidur:
        azure.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        vidur.write("Date,Time,PromptTokenCount,CompletionTokenCount\n")
        for row in rows:
            output = int(row["GeneratedTokens"])
            prompt = min(int(row["ContextTokens"]), MAX_TOKENS - output)
            arrived_at_s = (
                datetime.fromisoformat(row["TIMESTAMP"][:MICROSECOND_DIGITS]) - first_at
            ).total_seconds()
            azure.write(f"{row['TIMESTAMP']},{prompt},{output}\n")
            vidur.write(f"all,{arrived_at_s!r},{prompt},{output}\n")
    return ours, theirs


def child(command: list[str], **environment: str) -> dict[str, float]:
    """Run a command; the last line of what it prints is JSON."""
    variables = {**os.environ, **SINGLE_THREAD, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ours(case: str, *arguments: str) -> Callable[[], Measured]:
    """A case of measure.py."""
    return lambda: child([sys.executable, str(ROOT / "benchmarks" / "measure.py"), case, *arguments])


def vidur(trace: Path, num_replicas: int) -> Callable[[], Measured]:
    """The peer on a trace."""
    script = str(ROOT / "benchmarks" / "peer_vidur.py")
    return lambda: child([VIDUR_PYTHON, script, str(VIDUR_TABLES), str(trace), str(num_replicas)])


def cases(folder: Path) -> dict[str, Callable[[], Measured]]:
    """What can be measured here, by name."""
    found = {}
    if AZURE_TRACE.is_file():
        azure, theirs = cut_trace(folder)
        found["azure, dcsim"] = ours("azure", str(azure))
        if VIDUR_PYTHON and VIDUR_TABLES.is_file():
            found["azure, Vidur"] = vidur(theirs, 8)
    found["least outstanding, dcsim"] = ours("least_outstanding")
    found["million, dcsim"] = ours("million")
    found["import, dcsim"] = ours("import")
    found["smallest scenario, dcsim"] = ours("smallest")
    return found


def medians(runs: list[Measured]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def row(name: str, figures: Measured, num_runs: int) -> str:
    """One line of the table."""
    rate = f"{figures['requests_per_cpu_s']:,.0f}" if "requests_per_cpu_s" in figures else ""
    count = f"{figures['num_requests']:,.0f}" if "num_requests" in figures else ""
    whole = f"{figures['process_cpu_s']:.2f}" if "process_cpu_s" in figures else ""
    seconds = f"{figures['cpu_s']:.2f} | {rate} | {whole} | {figures['wall_s']:.2f}"
    return f"| {name} | {count} | {seconds} | {figures['peak_bytes'] / MEGABYTE:,.0f} | {num_runs} |\n"


def machine() -> str:
    """The machine and the date, in a line."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    today = datetime.now().date().isoformat()
    return f"{today}, {processor}, {os.cpu_count()} cores, Python {platform.python_version()}, medians:"


def write(text: str) -> None:
    """Put the table between its marks in the results page."""
    before, _, rest = RESULTS.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    RESULTS.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure in turns, print as it goes, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of case names")
    parser.add_argument("--write", action="store_true", help="replace the table in benchmarks/RESULTS.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = {
            name: run
            for name, run in cases(Path(folder)).items()
            if not options.only or name.startswith(tuple(options.only))
        }
        runs: dict[str, list[Measured]] = {name: [] for name in chosen}
        for _ in range(options.repeats):
            for name, run in chosen.items():
                runs[name].append(run())
                print(name, json.dumps(runs[name][-1]), flush=True)
    text = (
        "| case | requests | CPU s | requests per CPU s | CPU s of the process | wall s | peak MB | runs |\n"
    )
    text += "|---|---|---|---|---|---|---|---|\n"
    text += "".join(row(name, medians(found), len(found)) for name, found in runs.items())
    text = f"{machine()}\n\n{text}"
    print(f"\n{text}")
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
