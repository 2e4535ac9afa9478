"""What a visitor's session holds: language, draft, files, the runs that were picked."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import weakref
from pathlib import Path

import streamlit as st

import dcsim
from dcsim import Job, Result, ScenarioError, Workspace
from dcsim.app.draft import Draft
from dcsim.app.share import unpacked
from dcsim.app.words import DEFAULT_LANGUAGE, Words, languages

_UPLOADS = "uploads"
_STALE_S = 86_400.0  # what a killed server left behind may go after a day
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
    """The session's own folder for files; it goes when the session ends."""
    if "files" not in st.session_state:
        home = workspace().folder / _UPLOADS
        home.mkdir(parents=True, exist_ok=True)
        _remove_stale(home)
        st.session_state["files"] = _SessionFolder(home)
    folder: Path = st.session_state["files"].path
    return folder


def files() -> list[Path]:
    """The files of the session, by name."""
    return sorted(path for path in files_folder().iterdir() if path.is_file())


def draft() -> Draft:
    """The scenario being edited; at first one of the gallery."""
    if "draft" not in st.session_state:
        edit_gallery(_FIRST_SCENARIO)
    found: Draft = st.session_state["draft"]
    return found


def edit(text: str, origin: str) -> Draft:
    """Edit another scenario from now on."""
    old: Draft | None = st.session_state.get("draft")
    new = Draft(text, origin, files_folder())
    if old is not None:
        new.form_version, new.editor_version = old.form_version + 1, old.editor_version + 1
    st.session_state["draft"] = new
    return new


def edit_gallery(name: str) -> Draft:
    """Edit a copy of a scenario of the gallery."""
    return edit(dcsim.gallery()[name].read_text(encoding="utf-8"), name)


def edit_job(job: Job) -> Draft:
    """Edit a copy of the scenario of a run, with copies of its files."""
    for folder in (one for one in job.folder.glob("file-*") if one.is_dir()):
        shutil.copytree(folder, files_folder() / folder.name, dirs_exist_ok=True)
    return edit(job.scenario_path.read_text(encoding="utf-8"), job.name)


def take_link() -> str | None:
    """Edit the scenario that the address carries, once; what is wrong with the link, if anything is."""
    code = st.query_params.get("scenario")
    if code is None or st.session_state.get("link") == code:
        return None
    st.session_state["link"] = code
    try:
        edit(unpacked(code), "link")
    except ScenarioError as error:
        return str(error)
    return None


class _SessionFolder:
    """A folder that goes with the session: Streamlit drops the session's state when it ends."""

    def __init__(self, home: Path) -> None:
        self.path = Path(tempfile.mkdtemp(dir=home, prefix="session-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


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
    """The runs that the address names: ``?runs=ID,ID``; unknown ones are left out."""
    found = []
    for job_id in st.query_params.get("runs", "").split(","):
        try:
            found.append(workspace().job(job_id))
        except ScenarioError:
            continue
    return found


def show_jobs(page: str, job_ids: list[str]) -> None:
    """Go to a page that shows these runs."""
    st.session_state["picked"] = job_ids
    st.switch_page(st.session_state["pages"][page], query_params={"runs": ",".join(job_ids)})


def _remove_stale(home: Path) -> None:
    for folder in home.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _STALE_S:
            shutil.rmtree(folder, ignore_errors=True)
