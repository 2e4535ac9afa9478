import io
import re
from collections.abc import Mapping

import pytest
from rich.console import Console

from dcsim.report.explain import bar_text, explained_parts
from dcsim.report.text import show_result
from dcsim.report.verdict import verdict_of
from dcsim.result import Result, SummaryView
from dcsim.spec.serving import Slo
from dcsim.study.run import run
from tests.study.scenarios_for_tests import tiny

SLO = Slo.model_validate({"ttft": "500 ms", "attainment": "99 %"})


def serving(attainment: float | None, is_met: bool | None, verdict: str = "stable") -> SummaryView:
    values = {
        "slo_attainment_frac": attainment,
        "is_slo_met": is_met,
        "stability": {"verdict": verdict, "reason": "because"},
    }
    return SummaryView(values, {"slo_attainment_frac": 0.002})


@pytest.mark.parametrize(
    ("summary", "slo", "words"),
    [
        (serving(0.999, True), SLO, "MEETS ITS SLO"),
        (serving(0.5, False), SLO, "MISSES ITS SLO"),
        (serving(0.99, None), SLO, "BORDERLINE"),
        (serving(1.0, None), Slo(), "NO SLO SET"),
        (serving(None, None), SLO, "NOTHING MEASURED"),
        (serving(0.999, True, "unstable"), SLO, "UNSTABLE"),
        (serving(0.5, False, "saturated"), SLO, "SATURATED, MISSES ITS SLO"),
    ],
)
def test_the_verdict_is_in_one_word_or_a_few(summary: SummaryView, slo: Slo, words: str):
    assert verdict_of(summary, slo).words == words


def test_a_verdict_within_the_interval_says_so():
    assert "within the interval" in verdict_of(serving(0.991, True), SLO).reason
    assert "within the interval" not in verdict_of(serving(0.999, True), SLO).reason


@pytest.fixture(scope="module")
def result() -> Result:
    return run(tiny(replications=2), num_processes=1)


@pytest.fixture(scope="module")
def predicted() -> Result:
    return run(tiny(replications=2, calibration_draws=8), num_processes=1)


def report(result: Result, width: int) -> str:
    out = io.StringIO()
    show_result(Console(file=out, width=width), result, ["out"])
    return out.getvalue()


def scaled(value: object, factor: float) -> object:
    if isinstance(value, Mapping):
        return {key: scaled(inner, factor) for key, inner in value.items()}
    if isinstance(value, list):
        return [scaled(inner, factor) for inner in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value * factor if is_number else value


def blown_up(result: Result, factor: float) -> Result:
    """The result with longer numbers than any run gives, and intervals as wide as the numbers."""
    values = {key: scaled(result.summary[key], factor) for key in ("serving", "energy", "carbon", "cost")}
    summary = {**result.summary, **values, "intervals": scaled(values, 0.7)}
    return Result(lambda: result.scenario, result.tables, summary, result.record)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("factor", [1.0, 7.77, 1234.5, 3.3e5, 1e-5])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(result: Result, width: int, factor: float):
    text = report(blown_up(result, factor) if factor != 1.0 else result, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in ("limit", "500 ms", "p99", "PUE", "per accelerator-hour", "whole"):
        assert word in text


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("factor", [1.0, 7.77, 1234.5, 3.3e5, 1e-5])
def test_prediction_intervals_fit_too(predicted: Result, width: int, factor: float):
    values = {key: scaled(predicted.summary[key], factor) for key in ("serving", "energy", "carbon", "cost")}
    ends = scaled(predicted.summary["prediction"], factor)
    assert isinstance(ends, dict)
    about = {key: predicted.summary["prediction"][key] for key in ("num_draws", "assumptions", "notes")}
    summary = {**predicted.summary, **values, "prediction": {**ends, **about}}
    text = report(Result(lambda: predicted.scenario, predicted.tables, summary, predicted.record), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in ("limit", "500 ms", "p99", "PUE", "per accelerator-hour", "whole"):
        assert word in text


def test_numbers_carry_their_prediction_interval_and_the_verdict_its_chance(predicted: Result):
    text = " ".join(report(predicted, 100).split())
    assert "MEETS ITS SLO, P(SLO met) > 95 %" in text
    assert re.search(r"E2E, ms [\d,.]+ \[[\d,.]+, [\d,.]+\]", text)
    assert "±" not in text
    assert "[low, high] is the 95 % prediction interval" in text
    assert "8 draws" in text


def test_an_end_without_bound_is_infinite(predicted: Result):
    chat = predicted.summary["prediction"]["serving"]["chat"]
    open_ended = {**chat, "ttft_s": {**chat["ttft_s"], "p99": [chat["ttft_s"]["p99"][0], None]}}
    prediction = {**predicted.summary["prediction"], "serving": {"chat": open_ended}, "notes": ["beware"]}
    summary = {**predicted.summary, "prediction": prediction}
    text = report(Result(lambda: predicted.scenario, predicted.tables, summary, predicted.record), 100)
    assert ", ∞]" in text
    assert "note: beware" in text


@pytest.mark.parametrize(
    ("chance", "is_met", "words", "style"),
    [
        (0.999, True, "MEETS ITS SLO, P(SLO met) > 95 %", "bold green"),
        (0.62, True, "MEETS ITS SLO, P(SLO met) 62 %", "bold yellow"),
        (0.3, False, "MISSES ITS SLO, P(SLO met) 30 %", "bold yellow"),
        (0.0, False, "MISSES ITS SLO, P(SLO met) < 5 %", "bold red"),
    ],
)
def test_a_doubtful_verdict_is_yellow(chance: float, is_met: bool, words: str, style: str):
    values = {
        "slo_attainment_frac": 0.99,
        "is_slo_met": is_met,
        "slo_met_probability": chance,
        "stability": {"verdict": "stable", "reason": "because"},
    }
    found = verdict_of(SummaryView(values, {}), SLO)
    assert (found.words, found.style) == (words, style)


def test_the_report_ends_with_what_was_saved(result: Result):
    assert report(result, 100).splitlines()[-1].strip() == "saved: out"


def test_the_parts_that_are_shown_add_up_to_the_whole(result: Result):
    explain = result.serving["chat"].explain
    for group in ("mean", "p99_ttft", "p99_e2e"):
        assert sum(explained_parts(explain[group]).values()) == pytest.approx(
            explain[group].total_s.value, rel=1e-9
        )


def test_an_unstable_run_says_that_it_has_no_steady_state_and_shows_no_percentile():
    overloaded = tiny(
        duration="60 s", serving__chat__traffic__arrivals={"policy": "poisson", "rate": "400 /s"}
    )
    text = report(run(overloaded), 100)
    assert "UNSTABLE" in text
    assert "No steady state" in text
    assert "as observed" in text
    assert not re.search(r"\bp(50|9\d)\b", text)


def test_a_profile_beyond_its_range_is_noted_at_the_end():
    profile = {"base": "h100-sxm", "valid": {"max_tokens": 10, "max_context_tokens": 100_000}}
    text = report(run(tiny(serving__chat__efficiency=profile), num_processes=1), 100)
    assert "note: chat: steps of up to" in text
    assert "are extrapolated" in " ".join(text.split())


def test_the_header_tells_of_how_many_accelerators_power_and_cost_are(result: Result):
    words = "1 replica on 1 of 8 accelerators; power and cost are those of the whole cluster"
    assert words in " ".join(report(result, 100).split())
    whole = run(tiny(serving__chat__num_replicas=8), num_processes=1)
    assert "8 replicas on 8 accelerators; measured" in " ".join(report(whole, 100).split())


def test_a_dash_among_percentiles_is_explained(result: Result):
    assert "never finished" not in report(result, 100)
    chat = result.summary["serving"]["chat"]
    cut = {**result.summary, "serving": {"chat": {**chat, "e2e_s": {**chat["e2e_s"], "p99": None}}}}
    text = report(Result(lambda: result.scenario, result.tables, cut, result.record), 100)
    assert "-: that percentile falls on requests that never finished" in text


def test_bars_fill_in_eighths():
    assert [bar_text(fraction, 2) for fraction in (0.0, 0.5, 0.5625, 1.0, 7.0)] == ["", "█", "█▏", "██", "██"]


def test_a_summary_without_optional_parts_can_still_be_shown(result: Result):
    values: Mapping[str, object] = {
        key: result.summary[key] for key in ("name", "serving", "energy", "intervals")
    }
    bare = Result(lambda: result.scenario, result.tables, values, result.record)
    assert "MEETS ITS SLO" in report(bare, 100)


def test_what_the_prefix_cache_saved_is_shown_where_it_saved_anything(result: Result):
    cached = run(tiny(serving__chat__traffic__shared_prefix={"tokens": 256}), num_processes=1)
    assert re.search(r"prompt tokens from cache +[\d.]+ (± [\d.]+ )?%", report(cached, 120))
    assert "from cache" not in report(result, 120)
