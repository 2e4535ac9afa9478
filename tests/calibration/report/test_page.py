from pathlib import Path

import pytest

from dcsim.calibration.report.page import html_report, write_report
from dcsim.calibration.report.profile import profile_report
from dcsim.errors import ScenarioError

pytest.importorskip("plotly")
pytest.importorskip("scipy")


def test_the_page_needs_nothing_from_elsewhere_and_shows_every_measured_operator() -> None:
    page = html_report(profile_report("a40"))
    assert "<script src=" not in page
    assert "gemm.bf16: roofline of NVIDIA A40" in page
    assert "gemm.bf16: measured over formula" in page
    assert "not measured: an estimate" in page


def test_a_profile_without_residuals_still_has_a_page(tmp_path: Path) -> None:
    write_report("xeon-8480c", tmp_path / "x.html")
    assert "None: the formula alone." in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_an_unknown_profile_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ScenarioError, match="h100-sxm"):
        profile_report("h100-sxn")
