"""Scenario: pick one, change it by form or as text, and see at once what to expect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

import dcsim
from dcsim import ScenarioError
from dcsim.app import session
from dcsim.app.alternatives import slug
from dcsim.app.draft import TEXT_NAME, Draft, replay_problems
from dcsim.app.editor import yaml_editor
from dcsim.app.form.scenario_form import scenario_form
from dcsim.app.sections import scenario as sections
from dcsim.app.sections.registry import sections_of
from dcsim.app.share import packed
from dcsim.app.show import escaped, problems
from dcsim.app.uploads import BESIDE_TYPES, MAX_BYTES, SCENARIO_TYPES, TRACE_SUFFIXES, Upload, save
from dcsim.app.words import Words

KEY, ORDER, ICON = "scenario", 1, ":material/edit_note:"


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("scenario.title"))
    damage = session.take_link()
    if damage:
        st.error(escaped(damage), icon=":material/link_off:")
    _pick(words)
    draft = session.draft()
    checked = draft.checked()
    own = [one for one in checked.problems if one.line is not None and one.file == TEXT_NAME]
    marks = {one.line: one.message for one in reversed(own) if one.line is not None}
    for section in sections_of(sections):
        if section.PLACE == "above":
            section.show(draft, words)
    form, right = st.columns([1, 1], gap="medium")
    with right:
        label = words("scenario.yaml")
        title, undo = st.columns([4, 1.4], vertical_alignment="bottom")
        title.subheader(label, help=words("scenario.yaml_help"))
        undo.button(
            words("scenario.undo"),
            on_click=draft.undo,
            disabled=not draft.earlier,
            icon=":material/undo:",
            width="stretch",
        )
        version = f"{draft.token}:{draft.editor_version}"
        yaml_editor(draft.text, version, marks, label, draft.write)
    with form:
        scenario_form(draft, words, _file_names())
    with right:
        _verdict(draft, words)
        for section in sections_of(sections):
            if section.PLACE == "beside":
                section.show(draft, words)
    session.keep_draft()


def _pick(words: Words) -> None:
    """Gallery, files, link, and on to the run."""
    gallery, upload, share, run = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    names = list(dcsim.gallery())
    origin = session.draft().origin
    with gallery:
        chosen = st.selectbox(
            words("scenario.gallery"),
            names,
            names.index(origin) if origin in names else None,
            placeholder=words("scenario.own", name=origin),
            key=f"gallery-{origin}",
        )
    if chosen is not None and chosen != origin:
        session.edit_gallery(chosen)
        st.rerun()
    is_open = st.session_state.get("open_files", False)  # as the first page asks for
    with upload:
        if is_open:
            st.button(words("scenario.close_files"), on_click=_close_files, width="stretch")
        else:
            with st.popover(words("scenario.files"), icon=":material/upload:", width="stretch"):
                _upload(words)
    with share, st.popover(words("scenario.share"), icon=":material/link:", width="stretch"):
        _share(words)
    with run:
        can_run = session.draft().checked().can_run
        if st.button(
            words("scenario.run"),
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=not can_run,
        ):
            st.switch_page(st.session_state["pages"]["run"])
    if is_open:
        with st.container(border=True):
            _upload(words)


def _close_files() -> None:
    st.session_state["open_files"] = False


def _upload(words: Words) -> None:
    version = st.session_state.setdefault("upload_version", 0)
    st.markdown(words("scenario.upload_about"))
    as_scenario = st.file_uploader(
        words("scenario.upload_scenario"),
        list(SCENARIO_TYPES),
        key=f"scenario-file-{version}",
        max_upload_size=1,
    )
    beside = st.file_uploader(
        words("scenario.upload_beside"), list(BESIDE_TYPES), key=f"beside-file-{version}", max_upload_size=64
    )
    for found in (as_scenario, beside):
        if found is None:
            continue
        try:
            path = save(Upload(found.name, found.getvalue()), session.files_folder())
        except ScenarioError as error:
            st.error(escaped(str(error)))
            continue
        if found is as_scenario:
            session.edit(path.read_text(encoding="utf-8-sig"), path.name)
        session.draft().forget()
        st.session_state["upload_version"] = version + 1
        st.session_state["uploaded"] = path.name
        st.rerun()
    if "uploaded" in st.session_state:
        _uploaded(st.session_state["uploaded"], words)
    limits = {f"{size // 1_000_000} MB" for size in MAX_BYTES.values()}
    st.caption(words("scenario.upload_limits", limits=", ".join(sorted(limits, key=len))))
    _traces(words)


def _uploaded(name: str, words: Words) -> None:
    """Say that a file is here; of a trace that cannot be replayed as it is, why."""
    wrong = replay_problems(name, session.files_folder()) if name.endswith(TRACE_SUFFIXES) else ()
    if not wrong:
        st.success(words("scenario.uploaded", name=name))
        return
    reasons = "; ".join(f"{one.message}. {one.remedy}" if one.remedy else one.message for one in wrong)
    st.warning(f"{words('scenario.not_replayable', name=name)} {escaped(reasons)}")
    st.caption(words("scenario.columns"))


def _traces(words: Words) -> None:
    """The files of the session; traces can become the traffic of a workload with a click."""
    draft = session.draft()
    document = draft.document() or {}
    serving = document.get("serving")
    workloads = list(serving) if isinstance(serving, Mapping) else []
    for name in _file_names():
        st.text(f"• {name}")
        if not name.endswith(TRACE_SUFFIXES):
            continue
        for workload in workloads:
            label = words("scenario.use_trace", workload=workload)
            if st.button(label, key=f"use-{name}-{workload}", icon=":material/replay:"):
                draft.put(("serving", workload, "traffic"), {"trace": name})
                draft.put(("duration",), None)
                draft.put(("question",), None)
                draft.put(("name",), slug(Path(name).stem))
                draft.form_version += 1
                st.session_state["upload_version"] = st.session_state.get("upload_version", 0) + 1
                _close_files()
                st.toast(words("scenario.replayed", name=name, workload=workload), icon=":material/replay:")
                st.rerun()


def _share(words: Words) -> None:
    draft = session.draft()
    code = packed(draft.text)
    st.markdown(words("scenario.share_about"))
    if code is None:
        st.warning(words("scenario.share_too_long"))
    else:
        st.code(f"{_address()}?scenario={code}", language=None, wrap_lines=True)
    if _file_names():
        st.caption(words("scenario.share_files"))
    name = getattr(draft.checked().scenario, "name", "scenario")
    st.download_button(
        words("scenario.download"), draft.text, f"{name}.yaml", "application/yaml", icon=":material/download:"
    )


def _address() -> str:
    """The address of this page, without what it carries."""
    return str(st.context.url).split("?")[0]


def _verdict(draft: Draft, words: Words) -> None:
    checked = draft.checked()
    if checked.problems:
        problems(checked.problems, words)
    elif checked.infeasible:
        st.warning(f"{words('scenario.infeasible')} {escaped(checked.infeasible)}", icon=":material/block:")
    else:
        st.success(words("scenario.fine"), icon=":material/check_circle:")


def _file_names() -> tuple[str, ...]:
    return tuple(path.name for path in session.files())
