"""The command line: ``dcsim run``, ``check``, ``schema``, ``catalog``, ``scenarios``, ``calibrate`` and more.

Exit codes: 0 when all went well, 2 when the input is wrong or infeasible, or the machine refuses (a full
disk, no memory), 130 after Ctrl-C, 1 for a defect of dcsim.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from dcsim.app.commands import run_dashboard, write_html_report
from dcsim.app.launch import DEFAULT_HOST, DEFAULT_PORT, exposure_warning
from dcsim.app.words import DEFAULT_LANGUAGE, language_codes
from dcsim.calibration.cli_calibrate import calibrate_app
from dcsim.calibration.cli_validate import validate_app
from dcsim.errors import DcsimError, InfeasibleError, Problem, ScenarioError, SimulationError
from dcsim.report.catalog import show_entry, show_kind, show_kinds
from dcsim.report.chrome_trace import TRACE_SUFFIXES, write_chrome_trace
from dcsim.report.comparison import show_comparison
from dcsim.report.console import console
from dcsim.report.estimate import estimate_document, show_estimate
from dcsim.report.progress import progress_bar
from dcsim.report.strategies import ranking_document, show_ranking
from dcsim.report.text import show_result
from dcsim.result import check_output_file, check_output_folder
from dcsim.spec.loader import load, parse_setting
from dcsim.spec.schema import scenario_json_schema
from dcsim.study.comparison import check_comparable
from dcsim.study.comparison import compare as compare_results
from dcsim.study.gallery import gallery, load_scenario
from dcsim.study.run import check as check_scenario
from dcsim.study.run import run as run_scenario
from dcsim.study.saved_or_run import saved_or_run
from dcsim.study.strategy import rank_strategies, training_job_named
from dcsim.version import __version__

_WRONG_INPUT = 2
_DEFECT = 1
_INTERRUPTED = 130
_MAX_SEED = 2**63 - 1
_MAX_PROBLEMS = 50  # shown of one file: nobody mends more at a time

app = typer.Typer(
    name="dcsim",
    help="Datacenter simulator and capacity planner for AI.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(calibrate_app, name="calibrate")
app.add_typer(validate_app, name="validate")

SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="A.B=VALUE", help="Set one field of the scenario; may be repeated."),
]


@contextmanager
def _exit_codes(saved: Sequence[Path] = ()) -> Iterator[None]:
    """Turn what the user can mend, and Ctrl-C, into one message and an exit code.

    ``saved`` are the places where something was written, so far.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except DcsimError as error:
        typer.echo(_message(error), err=True)
        raise typer.Exit(_DEFECT if isinstance(error, SimulationError) else _WRONG_INPUT) from error
    except KeyboardInterrupt as error:
        places = ", ".join(map(str, saved))
        typer.echo(
            f"interrupted, but saved: {places}" if saved else "interrupted: nothing was saved", err=True
        )
        raise typer.Exit(_INTERRUPTED) from error
    except BrokenPipeError as error:  # "dcsim run B | head -2": the reader has had enough
        _drop_output()
        raise typer.Exit from error
    except OSError as error:
        _drop_output()
        place = "" if error.filename is None else f"{error.filename}: "
        typer.echo(f"error: {place}{error.strerror or error}", err=True)
        raise typer.Exit(_WRONG_INPUT) from error
    except MemoryError as error:
        remedy = "Give a shorter duration, fewer replications or fewer --processes"
        typer.echo(f"error: the memory of this machine is used up. {remedy}", err=True)
        raise typer.Exit(_WRONG_INPUT) from error


def _drop_output() -> None:
    """Send what is still in the buffer nowhere: written again at exit, it would fail again."""
    with suppress(OSError):  # no descriptor: somebody else's stream
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _message(error: DcsimError) -> str:
    if isinstance(error, ScenarioError) and len(error.problems) > 1:
        shown = [str(problem) for problem in error.problems[:_MAX_PROBLEMS]]
        num_left = len(error.problems) - len(shown)
        shown += [f"and {num_left} more"] if num_left else []
        return "\n".join([f"error: {len(error.problems)} problems", *shown])
    if isinstance(error, InfeasibleError):
        return f"infeasible: {error}"
    if isinstance(error, SimulationError):
        return f"internal error: {error}\nThis is a defect of dcsim: please report it with the scenario."
    return f"error: {error}"


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"dcsim {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Datacenter simulator and capacity planner for AI."""


@app.command()
def run(
    scenario: Annotated[
        str,
        typer.Argument(
            help="Scenario file, folder of a saved result, or name of the gallery (dcsim scenarios)."
        ),
    ],
    settings: SetOption = [],  # noqa: B006 - typer copies it
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Save the result into this folder.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the result in that folder, and the trace.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print summary.json instead of the report.")
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(help="Write a trace for ui.perfetto.dev (.json or .json.gz), first replication."),
    ] = None,
    replications: Annotated[int | None, typer.Option(min=1, help="Independent repeats.")] = None,
    draws: Annotated[
        int | None,
        typer.Option(min=0, help="Resampled calibrations for prediction intervals; 0 for none."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per processor.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=_MAX_SEED, help="Seed of all random streams.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No report and no progress bar.")] = False,
) -> None:
    """Simulate a scenario and report latency, throughput, energy, carbon and cost."""
    saved: list[Path] = []
    with _exit_codes(saved):
        overrides: dict[str, object] = dict(map(parse_setting, settings))
        overrides |= {} if replications is None else {"replications": replications}
        overrides |= {} if draws is None else {"calibration_draws": draws}
        overrides |= {} if seed is None else {"seed": seed}
        loaded = load_scenario(scenario, overrides=overrides)
        if output is not None:
            check_output_folder(output, overwrite=overwrite)
        if trace is not None:
            check_output_file(trace, overwrite=overwrite, suffixes=TRACE_SUFFIXES)
        with progress_bar(loaded.name, is_quiet=quiet) as on_progress:
            result = run_scenario(loaded, num_processes=processes, on_progress=on_progress)
        if output is not None:
            result.save(output, overwrite=overwrite)
            saved.append(output)
        if trace is not None:
            write_chrome_trace(trace, result.tables.replications[0])
            saved.append(trace)
        if as_json:
            typer.echo(result.summary_text().encode(), nl=False)
        elif not quiet:
            show_result(console(), result, list(map(str, saved)))


@app.command()
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Folders of saved results; scenario files or gallery names, which are run.",
        ),
    ],
    settings: SetOption = [],  # noqa: B006 - typer copies it
    baseline: Annotated[
        int, typer.Option(min=1, help="Number of the one that the others are held against, from 1.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per processor.")
    ] = None,
) -> None:
    """Compare two to eight results: which is cheaper, which is faster, and what is only noise."""
    with _exit_codes():
        check_comparable(len(names), baseline - 1)
        overrides = dict(map(parse_setting, settings))
        with progress_bar("comparison") as on_progress:
            results = saved_or_run(
                names, overrides=overrides, num_processes=processes, on_progress=on_progress
            )
        comparison = compare_results(results, baseline=baseline - 1)
        if as_json:
            text = json.dumps(comparison.document(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
            typer.echo(text.encode(), nl=False)
        else:
            show_comparison(console(), comparison)


@app.command()
def estimate(
    scenario: Annotated[
        str, typer.Argument(help="Scenario file, folder of a saved result, or name of the gallery.")
    ],
    settings: SetOption = [],  # noqa: B006 - typer copies it
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Estimate a scenario at once, without a simulation: mean latency, training step, memory, power, cost."""
    with _exit_codes():
        loaded = load_scenario(scenario, overrides=dict(map(parse_setting, settings)))
        if as_json:
            typer.echo(json.dumps(estimate_document(loaded), indent=2))
        else:
            show_estimate(console(), loaded)


@app.command()
def strategies(
    scenario: Annotated[
        str, typer.Argument(help="Scenario file, folder of a saved result, or name of the gallery.")
    ],
    job: Annotated[str | None, typer.Option(help="Training job; may be left out where there is one.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many plans to show.")] = 10,
    settings: SetOption = [],  # noqa: B006 - typer copies it
    as_json: Annotated[bool, typer.Option("--json", help="Print the plans as JSON.")] = False,
) -> None:
    """Search the parallelism plans of a training job: those that fit in memory, fastest first."""
    with _exit_codes():
        loaded = load_scenario(scenario, overrides=dict(map(parse_setting, settings)))
        name = training_job_named(loaded, job)
        ranking = rank_strategies(loaded, name, limit=top)
        if as_json:
            typer.echo(json.dumps(ranking_document(ranking), indent=2))
        else:
            show_ranking(console(), name, ranking)


@app.command()
def check(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO...", help="Scenario files, folders of results or gallery names."),
    ],
    settings: SetOption = [],  # noqa: B006 - typer copies it
) -> None:
    """Check scenarios: every problem at once, and all that a run would find before its clock starts."""
    num_wrong = 0
    with _exit_codes():
        overrides = dict(map(parse_setting, settings))
        for name in scenarios:
            try:
                loaded = load_scenario(name, overrides=overrides)
                check_scenario(loaded)
            except ScenarioError as error:
                num_wrong += 1
                typer.echo(_message(error), err=True)
            except InfeasibleError as error:
                num_wrong += 1
                typer.echo(f"{name}: {_message(error)}", err=True)
            else:
                typer.echo(f"{name}: ok")
    if num_wrong:
        raise typer.Exit(_WRONG_INPUT)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it into this file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file.")] = False,
) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    with _exit_codes():
        text = json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False) + "\n"
        if output is None:
            typer.echo(text.encode(), nl=False)
            return
        check_output_file(output, overwrite=overwrite)
        output.write_text(text, encoding="utf-8")


@app.command()
def catalog(
    kind: Annotated[str | None, typer.Argument(help="accelerators, nodes, models, ...")] = None,
    name: Annotated[str | None, typer.Argument(help="Entry to show with its values and sources.")] = None,
) -> None:
    """Show the catalogue: kinds, the entries of a kind, or one entry with every value and its source."""
    with _exit_codes():
        if kind is None:
            show_kinds(console())
        elif name is None:
            show_kind(console(), kind)
        else:
            show_entry(console(), kind, name)


@app.command()
def scenarios() -> None:
    """List the scenarios that come with dcsim and the question that each asks."""
    with _exit_codes():
        for name, path in gallery().items():
            typer.echo(f"{name}\n    {load(path).question}")


@app.command()
def dashboard(
    host: Annotated[
        str, typer.Option(help="Address to serve; other than this machine's own, with a warning.")
    ] = DEFAULT_HOST,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to serve.")] = DEFAULT_PORT,
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the runs; default: DCSIM_WORKSPACE, or the user's data folder."),
    ] = None,
) -> None:
    """Open the dashboard in a browser: build, run, explain and compare scenarios."""
    with _exit_codes():
        warning = exposure_warning(host, os.environ)
        if warning:
            typer.echo(warning, err=True)
        code = run_dashboard(host, port, workspace)
    raise typer.Exit(code)


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Folders of saved results: one, or up to eight.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the page into this file (.html).")],
    language: Annotated[str, typer.Option(help=f"One of {', '.join(language_codes())}.")] = DEFAULT_LANGUAGE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file.")] = False,
) -> None:
    """Write the figures and numbers of saved results into one self-contained html page."""
    with _exit_codes():
        if language not in language_codes():
            known = ", ".join(language_codes())
            raise ScenarioError(
                Problem(f"no language '{language}'", file="--language", remedy=f"Give {known}")
            )
        check_output_file(output, overwrite=overwrite, suffixes=(".html", ".htm"))
        write_html_report(results, output, language)


def main() -> None:
    """Run the command line. A character that the terminal cannot show becomes a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with _exit_codes():
            app()
    except typer.Exit as error:  # from outside of the commands: --help, --version
        sys.exit(error.exit_code)
