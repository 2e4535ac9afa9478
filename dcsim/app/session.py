"""What a visitor's session holds: language, draft, files, the runs that were picked."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
from pathlib import Path

import streamlit as st

import dcsim
from dcsim import Job, Result, ScenarioError, Workspace
from dcsim.app.draft import Draft
from dcsim.app.share import unpacked, with_plain_names
from dcsim.app.words import DEFAULT_LANGUAGE, Words, languages

_DRAFTS, _FILES, _KEPT = "drafts", "files", "draft.json"
_DRAFT_ID = re.compile(r"[0-9a-f]{16}")
_STALE_S = 86_400.0  # a draft that nobody has touched for a day goes, files and all
_FIRST_SCENARIO = "azure-conv"
_MAX_RESULTS = 24  # kept open, of all sessions: summaries and series, half a megabyte each


def words() -> Words:
    """The words of the visitor's language: the one chosen, else the browser's, else English."""
    chosen = st.session_state.get("language")
    if chosen in languages():
        return Words(chosen)
    wanted = (st.context.locale or DEFAULT_LANGUAGE).split("-")[0]
    return Words(wanted if wanted in languages() else DEFAULT_LANGUAGE)


def workspace() -> Workspace:
    """The folder of runs: one for all, or of each user where people log in."""
    common = Workspace()
    if not is_login_required() or not st.user.is_logged_in:
        return common
    who = hashlib.sha256(f"{st.user.get('iss')} {st.user.get('sub')}".encode()).hexdigest()[:16]
    return Workspace(common.folder / "users" / who)


def is_login_required() -> bool:
    """Whether Streamlit's secrets name an identity provider."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


def files_folder() -> Path:
    """Where the files of the draft stand, and nothing else."""
    return _draft_folder() / _FILES


def _draft_folder() -> Path:
    """The folder of the session's draft: that which the address names, else a new one nobody can guess."""
    if "draft_folder" not in st.session_state:
        home = workspace().folder / _DRAFTS
        home.mkdir(parents=True, exist_ok=True)
        _remove_stale(home)
        wanted = st.query_params.get("draft", "")
        is_known = _DRAFT_ID.fullmatch(wanted) is not None and (home / wanted).is_dir()
        folder = home / (wanted if is_known else secrets.token_hex(8))
        (folder / _FILES).mkdir(parents=True, exist_ok=True)
        st.session_state["draft_folder"] = folder
    found: Path = st.session_state["draft_folder"]
    return found


def files() -> list[Path]:
    """The files of the session, by name."""
    return sorted(path for path in files_folder().iterdir() if path.is_file())


def draft() -> Draft:
    """The scenario being edited: that kept before a reload, at first one of the gallery."""
    if "draft" not in st.session_state:
        kept = _draft_folder() / _KEPT
        if kept.is_file():
            about = json.loads(kept.read_text(encoding="utf-8"))
            edit(about["text"], about["origin"])
        else:
            edit_gallery(_FIRST_SCENARIO)
    found: Draft = st.session_state["draft"]
    return found


def keep_draft() -> None:
    """Keep the draft so that a reload of the page finds it: its folder's name stands in the address."""
    text, folder = draft().text, _draft_folder()
    if st.session_state.get("kept_text") != text:
        content = json.dumps({"text": text, "origin": draft().origin})
        (folder / _KEPT).write_text(content, encoding="utf-8")
        st.session_state["kept_text"] = text
    if st.query_params.get("draft") != folder.name:
        st.query_params["draft"] = folder.name


def edit(text: str, origin: str) -> Draft:
    """Edit another scenario from now on."""
    old: Draft | None = st.session_state.get("draft")
    new = Draft(text, origin, files_folder())
    if old is not None:
        new.earlier = [*old.earlier, (old.text, old.origin)]
        new.form_version, new.editor_version = old.form_version + 1, old.editor_version + 1
    st.session_state["draft"] = new
    return new


def edit_gallery(name: str) -> Draft:
    """Edit a copy of a scenario of the gallery."""
    return edit(dcsim.gallery()[name].read_text(encoding="utf-8"), name)


def edit_job(job: Job) -> Draft:
    """Edit a copy of the scenario of a run, with copies of its files."""
    own = job.folder / _FILES
    names = [path.name for path in own.iterdir()] if own.is_dir() else []
    for name in names:
        shutil.copyfile(own / name, files_folder() / name)
    return edit(with_plain_names(job.scenario_path.read_text(encoding="utf-8"), names), job.name)


def take_link() -> str | None:
    """Edit the scenario that the address carries, once; what is wrong with the link, if anything is."""
    code = st.query_params.get("scenario")
    if code is None or st.session_state.get("link") == code:
        return None
    st.session_state["link"] = code
    del st.query_params["scenario"]  # else a reload would undo what is changed from here on
    try:
        edit(unpacked(code), "link")
    except ScenarioError as error:
        return str(error)
    return None


@st.cache_resource(max_entries=_MAX_RESULTS, show_spinner=False)
def _open(folder: str, finished_at_s: float) -> Result:
    return dcsim.open(folder)


def result_of(job: Job) -> Result:
    """The result of a run; its summary and series stay in memory, its tables are not read."""
    folder = job.folder / "result"
    try:
        changed_at_s = (folder / "manifest.json").stat().st_mtime
    except FileNotFoundError:
        return job.result()  # which says how far it is
    return _open(str(folder), changed_at_s)


def jobs_in_address() -> list[Job]:
    """The runs that the address names: ``?runs=ID,ID``, each once; unknown ones are left out."""
    return [job for job in map(_job, _ids_in_address()) if job is not None]


def strangers_in_address() -> list[str]:
    """What the address asks for and this workspace has not."""
    return [job_id for job_id in _ids_in_address() if _job(job_id) is None]


def _ids_in_address() -> list[str]:
    return list(dict.fromkeys(filter(None, st.query_params.get("runs", "").split(","))))


def _job(job_id: str) -> Job | None:
    try:
        return workspace().job(job_id)
    except ScenarioError:
        return None


def show_jobs(page: str, job_ids: list[str]) -> None:
    """Go to a page that shows these runs."""
    st.session_state["picked"] = job_ids
    st.switch_page(st.session_state["pages"][page], query_params={"runs": ",".join(job_ids)})


def _remove_stale(home: Path) -> None:
    for folder in home.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _STALE_S:
            shutil.rmtree(folder, ignore_errors=True)
