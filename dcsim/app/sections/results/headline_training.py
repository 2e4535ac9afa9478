"""How each training job ended, and the numbers of it that one looks for first."""

from __future__ import annotations

import streamlit as st

from dcsim import Estimate, Result, SummaryView
from dcsim.app.series import has_part
from dcsim.app.show import escaped, tile, value_text
from dcsim.app.words import Words

ORDER, TITLE = 1, ""
_TILES = ("step_time_s", "mfu_frac", "productive_frac", "tokens_per_s")
_OF_THE_BILL = ("usd_per_million_tokens", "it_j_per_token", "kg_per_million_tokens")


def has_data(result: Result) -> bool:
    """Whether anything was trained."""
    return has_part(result, "training")


def show(result: Result, words: Words) -> None:
    """A sentence and a row of tiles for each job."""
    for name in result.training:
        job = result.training[name]
        if isinstance(job, SummaryView):
            _verdict(name, job, words)
            _tiles(job, words)


def _verdict(name: str, job: SummaryView, words: Words) -> None:
    """Whether it ended, when, and what stopped it on the way."""
    code = (
        "stalled" if job.number("is_stalled") else "finished" if job.number("is_finished") else "unfinished"
    )
    says = words(
        f"training.{code}",
        time=value_text("x_s", job.number("completion_s")),
        wall=value_text("x_s", job.number("wall_s")),
        steps=f"{job.number('num_steps') or 0.0:,.0f}",
    )
    num_failures = job.number("num_failures") or 0.0
    stops = words("training.stops", count=f"{num_failures:,.4g}") if num_failures else ""
    box = {"finished": st.success, "stalled": st.error}.get(code, st.info)
    icon = {"finished": ":material/flag:", "stalled": ":material/block:"}.get(code, ":material/timelapse:")
    box(f"**{escaped(name)}: {says}** {stops}", icon=icon)


def _tiles(job: SummaryView, words: Words) -> None:
    shown, counted_in = [*_TILES, "completion_s", *_OF_THE_BILL], job.get("counted_in")
    notes = {
        "step_time_s": words(
            "training.alone", value=value_text("x_s", job.number("undisturbed_step_time_s"))
        ),
        "mfu_frac": words("estimate.hfu", value=value_text("x_frac", job.number("hfu_frac"))),
        "productive_frac": words(
            "training.effective", value=value_text("x_frac", job.number("effective_training_frac"))
        ),
        "tokens_per_s": words("estimate.accelerators", count=f"{job.number('num_accelerators') or 0:,.0f}"),
        "usd_per_million_tokens": words("training.in_all", value=value_text("x_usd", job.number("cost_usd"))),
        "it_j_per_token": words("training.in_all", value=value_text("x_j", job.number("it_j"))),
        "kg_per_million_tokens": words("training.in_all", value=value_text("x_kg", job.number("carbon_kg"))),
    }
    for row in (shown[:4], shown[4:]):
        for cell, key in zip(st.columns(4), row, strict=True):
            found = job.find(key)
            note = notes.get(key, "")
            if not isinstance(found, Estimate):
                note = words("training.not_ended" if key == "completion_s" else "estimate.needs_section")
            with cell:
                one = found if isinstance(found, Estimate) else None
                tile(
                    words.counted(f"training.{key}", counted_in),
                    key,
                    one,
                    note,
                    words.maybe(f"terms.{key}", ""),
                )
