"""Run: the draft and its alternatives, simulated in the background; how far they are."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import dcsim
from dcsim import DcsimError, Estimate, Job, JobState, Scenario, ScenarioError, SummaryView, duration_text
from dcsim.app import session
from dcsim.app.alternatives import MAX_ALTERNATIVES, Alternative, alternatives, values_in, variable_fields
from dcsim.app.catalogue_text import entry_text
from dcsim.app.draft import Draft
from dcsim.app.quantities import SECONDS_PER_DAY
from dcsim.app.show import MISSING, empty, escaped, percent_text, problems, state_badge, tile, value_text
from dcsim.app.words import Words

KEY, ORDER, ICON = "run", 2, ":material/play_circle:"
_EVERY_S = 1.0
Tile = tuple[str, str, str]  # path in the summary, name that tells the unit, label


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("run.title"))
    draft = session.draft()
    _start(draft, words)
    st.header(words("run.runs"), divider="gray")
    jobs = _watched()
    if not jobs:
        empty(words("run.none"))
        return
    is_active = any(not job.status().state.is_over for job in jobs)
    st.fragment(_watch, run_every=_EVERY_S if is_active else None)([job.id for job in jobs], words)


def _start(draft: Draft, words: Words) -> None:
    """What would be run, and the button."""
    checked = draft.checked()
    with st.container(border=True):
        if checked.scenario is None:
            problems(checked.problems, words)
            _edit(words)
            return
        name, change = st.columns([5, 1.3], vertical_alignment="center")
        name.markdown(f"**{escaped(checked.scenario.name)}**  \n{escaped(checked.scenario.question)}")
        with change:
            _edit(words)
        found = _alternatives(draft, words)
        runnable = [one for one in found if one.checked.can_run]
        if checked.infeasible and not found:
            st.warning(escaped(checked.infeasible), icon=":material/block:")
        count = len(runnable) if found else int(checked.can_run)
        label = words("run.start_many", count=count) if found else words("run.start")
        if st.button(label, type="primary", icon=":material/play_arrow:", disabled=not count):
            _run([one.checked.scenario for one in runnable] if found else [checked.scenario])


def _run(wanted: Sequence[Scenario | None]) -> None:
    """Start them, unless one could not: then say why, and start none."""
    scenarios = [one for one in wanted if one is not None]
    for one in scenarios:
        try:
            dcsim.check(one)
        except DcsimError as error:
            st.warning(f"**{escaped(one.name)}**: {escaped(str(error))}", icon=":material/block:")
            return
    session.show_jobs("run", [session.workspace().start(one).id for one in scenarios])


def _edit(words: Words) -> None:
    if st.button(words("run.edit"), icon=":material/edit:", width="stretch"):
        st.switch_page(st.session_state["pages"]["scenario"])


def _alternatives(draft: Draft, words: Words) -> list[Alternative]:
    """Other values of one field, each with what to expect of it."""
    scenario = draft.checked().scenario
    assert scenario is not None
    fields = variable_fields(scenario.document)
    names = {path: words.maybe(f"fields.{path.rsplit('.', 1)[-1]}", path) for path in fields}
    left, right = st.columns([1, 2])
    path = left.selectbox(
        words("run.vary"),
        list(fields),
        None,
        format_func=lambda one: f"{names[one]} ({one})",
        placeholder=words("run.vary_nothing"),
        help=words("run.vary_help"),
        key="vary",
    )
    if path is None:
        return []
    values = _values(right, path, fields[path], words)
    found = alternatives(draft, path, values)
    if found:
        _preview(found, words)
    return found


def _values(place: st.delta_generator.DeltaGenerator, path: str, kind: str, words: Words) -> list[str]:
    """Entries of the catalogue, or values that are typed."""
    if kind:
        return place.multiselect(
            words("run.values"),
            list(dcsim.entry_names(kind)),
            format_func=lambda one: entry_text(kind, one),
            max_selections=MAX_ALTERNATIVES,
            key=f"values-{path}",
            placeholder=words("run.choose"),
        )
    return values_in(
        place.text_input(words("run.values"), help=words("run.values_help"), key=f"values-{path}")
    )


def _preview(found: list[Alternative], words: Words) -> None:
    rows = []
    for one in found:
        why = one.checked.infeasible or "; ".join(str(problem.message) for problem in one.checked.problems)
        can_run = words("form.yes") if one.checked.can_run else f"{words('form.no')}: {why}"
        rows.append({words("run.value"): one.label, words("run.can_run"): can_run, **_expected(one, words)})
    keys = list(dict.fromkeys(key for row in rows for key in row))
    st.caption(words("run.preview"))
    st.table({key: [row.get(key, MISSING) for row in rows] for key in keys}, hide_index=True)


def _expected(one: Alternative, words: Words) -> dict[str, str]:
    """The closed form of an alternative: of what it serves first, and trains first."""
    shown: list[tuple[str, str, float | None]] = []
    forecast = one.checked.forecast
    if forecast is not None:
        first = next(iter(forecast.serving.values()))
        shown += [
            (words("estimate.load"), "x_frac", first.load_frac),
            (words("estimate.mean", name="TTFT"), "x_s", first.ttft_s),
            (words("estimate.mean", name="TPOT"), "x_s", first.tpot_s),
        ]
        for key, value in (
            ("usd_per_million_output_tokens", forecast.usd_per_million_output_tokens),
            ("facility_j_per_output_token", forecast.facility_j_per_output_token),
        ):
            shown.append((words(f"estimate.{key}"), key, value))
    for job in list(one.checked.training.values())[:1]:
        days_s = None if job.days is None else job.days * SECONDS_PER_DAY
        shown += [
            (words("training.step_s"), "x_s", job.step_s),
            (words("training.mfu_frac"), "x_frac", job.mfu_frac),
            (words("training.completion_s"), "x_s", days_s),
            (words("training.cost_usd"), "x_usd", job.cost_usd),
        ]
    return {label: value_text(name, value) for label, name, value in shown}


def _watched() -> list[Job]:
    """The runs of the address, those picked, and all that are not over yet."""
    found = {job.id: job for job in session.jobs_in_address()}
    for job in session.workspace().jobs():
        if job.id in st.session_state.get("picked", ()) or not job.status().state.is_over:
            found.setdefault(job.id, job)
    return list(found.values())


def _watch(job_ids: list[str], words: Words) -> None:
    """Every run with its progress; drawn again by itself while one goes on."""
    jobs = [job for job in session.workspace().jobs() if job.id in job_ids]
    if all(job.status().state.is_over for job in jobs) and st.session_state.get("was_active"):
        st.session_state["was_active"] = False
        st.rerun()
    st.session_state["was_active"] = any(not job.status().state.is_over for job in jobs)
    for job in sorted(jobs, key=lambda job: job.id):
        with st.container(border=True):
            _one(job, words)
    done = [job.id for job in jobs if job.status().state is JobState.DONE]
    if 2 <= len(done) <= MAX_ALTERNATIVES and st.button(
        words("run.compare", count=len(done)), icon=":material/compare_arrows:", type="primary"
    ):
        session.show_jobs("compare", sorted(done))


def _one(job: Job, words: Words) -> None:
    status = job.status()
    name, state, action = st.columns([5, 1.5, 1.6], vertical_alignment="center")
    name.markdown(f"**{escaped(job.name)}**")
    with state:
        state_badge(job, words)
    if status.state is JobState.DONE:
        if action.button(words("run.results"), key=f"results-{job.id}", type="primary", width="stretch"):
            session.show_jobs("results", [job.id])
    elif not status.state.is_over and action.button(
        words("run.cancel"), key=f"cancel-{job.id}", icon=":material/stop:", width="stretch"
    ):
        job.cancel()
        st.rerun(scope="fragment")
    if status.state is JobState.FAILED:
        st.error(escaped(status.error))
    elif not status.state.is_over:
        st.progress(min(max(status.done_frac, 0.0), 1.0), text=_how_far(job, words))
    _partial(job, words)


def _how_far(job: Job, words: Words) -> str:
    status = job.status()
    if status.state is JobState.QUEUED:
        return words("run.waits")
    parts = [percent_text(status.done_frac)]
    if status.elapsed_s is not None:
        parts.append(words("run.elapsed", time=duration_text(status.elapsed_s)))
    if status.remaining_s is not None:
        parts.append(words("run.remaining", time=duration_text(status.remaining_s)))
    parts.append(words("run.replications", done=status.num_replications, all=job.replications))
    return " · ".join(parts)


def _partial(job: Job, words: Words) -> None:
    """Numbers of the replications so far, or of the result."""
    is_done = job.status().state is JobState.DONE
    try:
        view = session.result_of(job).view if is_done else job.partial()
    except ScenarioError as error:  # a file of it was changed or lost
        st.error(escaped(str(error)), icon=":material/broken_image:")
        return
    if view is None:
        return
    shown = _headline(view, words)
    if not is_done:
        st.caption(words("run.so_far", done=job.status().num_replications, all=job.replications))
    for cell, (path, name, label) in zip(st.columns(len(shown)), shown, strict=True):
        with cell:
            found = view.find(path)
            tile(label, name, found if isinstance(found, Estimate) else None)


def _headline(view: SummaryView, words: Words) -> list[Tile]:
    """The numbers that tell most of a run: of what it serves first, trains first, or schedules."""
    for part, tiles in (("serving", _serving_tiles), ("training", _training_tiles)):
        named = view.find(part)
        if isinstance(named, SummaryView) and list(named):
            return tiles(next(iter(named)), words)
    return [
        ("jobs.wait_s.p50", "wait_s", f"{words('jobs.wait_s')} p50"),
        ("jobs.wait_s.p99", "wait_s", f"{words('jobs.wait_s')} p99"),
        ("jobs.completion_s.mean", "completion_s", words("jobs.completion_s")),
        ("jobs.utilization_frac", "x_frac", words("jobs.utilization_frac")),
        ("energy.mean_it_w", "x_w", words("metrics.mean_it_w")),
    ]


def _serving_tiles(name: str, words: Words) -> list[Tile]:
    return [
        (f"serving.{name}.ttft_s.p99", "ttft_s", "TTFT p99"),
        (f"serving.{name}.tpot_s.p99", "tpot_s", "TPOT p99"),
        (f"serving.{name}.slo_attainment_frac", "x_frac", words("metrics.slo_attainment_frac")),
        ("cost.usd_per_million_output_tokens", "usd_per_x", words("metrics.usd_per_million_output_tokens")),
        ("energy.facility_j_per_output_token", "it_j_per_x", words("metrics.facility_j_per_output_token")),
    ]


def _training_tiles(name: str, words: Words) -> list[Tile]:
    keys = ("step_time_s", "mfu_frac", "productive_frac", "usd_per_million_tokens", "it_j_per_token")
    return [(f"training.{name}.{key}", key, words(f"training.{key}")) for key in keys]
