import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.result.folder import (
    FORMAT,
    MANIFEST,
    check_output_file,
    check_output_folder,
    is_result,
    whole_folder,
)


def write_result(folder: Path, content: str = "") -> None:
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT}))
    (folder / "content").write_text(content)


def test_the_folder_appears_with_all_its_files(tmp_path: Path):
    with whole_folder(tmp_path / "deep" / "out") as hidden:
        write_result(hidden, "all")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "content").read_text() == "all"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_nothing_is_left_when_the_block_fails(tmp_path: Path):
    def fail() -> None:
        with whole_folder(tmp_path / "out") as hidden:
            write_result(hidden)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_result_is_replaced_only_on_demand(tmp_path: Path):
    write_result(tmp_path / "out", "old")
    with pytest.raises(ScenarioError, match="already holds a result"):
        check_output_folder(tmp_path / "out")
    with whole_folder(tmp_path / "out", overwrite=True) as hidden:
        write_result(hidden, "new")
    assert (tmp_path / "out" / "content").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(tmp_path: Path):
    (tmp_path / "precious").touch()
    for overwrite in (False, True):
        with pytest.raises(ScenarioError, match="holds no dcsim result"):
            check_output_folder(tmp_path, overwrite=overwrite)


def test_an_empty_folder_may_be_used(tmp_path: Path):
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as hidden:
        write_result(hidden)
    assert is_result(tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is not writable for anybody, on Linux")
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/out", "/proc/self/deep/out"])
def test_a_place_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, monkeypatch, place: str):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ScenarioError, match=r"cannot be written|is a file") as caught:
        check_output_folder(Path(place))
    assert len(caught.value.problems) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is not writable for anybody, on Linux")
@pytest.mark.parametrize("place", [".", "/proc/out.json", "no/such/folder/out.json"])
def test_a_file_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, monkeypatch, place: str):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError, match=r"cannot be written|is a folder"):
        check_output_file(Path(place))


def test_an_existing_file_is_replaced_only_on_demand(tmp_path: Path):
    file = tmp_path / "victim.json"
    file.write_text("precious")
    with pytest.raises(ScenarioError, match=r"already exists.*--overwrite"):
        check_output_file(file)
    check_output_file(file, overwrite=True)
    assert file.read_text() == "precious"


def test_a_file_must_have_one_of_the_suffixes_asked_for(tmp_path: Path):
    suffixes = (".json", ".json.gz")
    check_output_file(tmp_path / "trace.json.gz", suffixes=suffixes)
    for name in ("trace.txt", "trace.gz", "trace"):
        with pytest.raises(ScenarioError, match=r"must end in \.json or \.json\.gz"):
            check_output_file(tmp_path / name, suffixes=suffixes)


def test_checking_leaves_no_trace(tmp_path: Path):
    check_output_folder(tmp_path / "a" / "b")
    check_output_file(tmp_path / "trace.json")
    assert not list(tmp_path.iterdir())


def test_a_process_killed_while_saving_leaves_no_result_and_the_next_save_cleans_up(tmp_path: Path):
    script = (
        "import os, pathlib\n"
        "from dcsim.result.folder import whole_folder\n"
        f"with whole_folder(pathlib.Path({str(tmp_path / 'out')!r})) as hidden:\n"
        "    (hidden / 'half').touch()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == -9
    assert [path.name.startswith(".out.dcsim-unfinished-") for path in tmp_path.iterdir()] == [True]
    with whole_folder(tmp_path / "out") as hidden:
        write_result(hidden)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_another_living_process_may_save_beside_us(tmp_path: Path):
    beside = tmp_path / f".out.dcsim-unfinished-{os.getppid()}-x"
    beside.mkdir()
    with whole_folder(tmp_path / "out") as hidden:
        write_result(hidden)
    assert beside.exists()


def test_a_folder_without_a_readable_manifest_is_no_result(tmp_path: Path):
    for text in ("", "[]", "{}", '{"format": "other"}', "\x00"):
        (tmp_path / MANIFEST).write_text(text)
        assert not is_result(tmp_path)
