import pytest

from dcsim.metrics.latency import latency_figures
from dcsim.metrics.request_view import view_requests
from dcsim.metrics.throughput import request_figures
from dcsim.metrics.window import Window
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import requests, served

WINDOW = Window(0.0, 10.0)


def view(*rows, overhead_s=0.0, slo=None, window=WINDOW):
    return view_requests(requests(*rows), window, overhead_s, slo or Slo())


def test_latencies_count_from_arrival_and_the_wait_from_the_queue():
    figures = latency_figures(view(served(1.0, wait=0.5, ttft=2.0, e2e=6.5), overhead_s=0.2))
    assert figures["ttft_s"]["mean"] == 2.0
    assert figures["e2e_s"]["p50"] == 5.5 + 1.0
    assert figures["tpot_s"]["max"] == pytest.approx(4.5 / 9)
    assert figures["queue_wait_s"]["mean"] == pytest.approx(0.3)


def test_one_output_token_has_no_time_per_output_token():
    figures = latency_figures(view(served(0.0, num_output_tokens=1), served(0.0, ttft=0.5, e2e=5.0)))
    assert figures["tpot_s"]["mean"] == pytest.approx(0.5)


def test_requests_before_the_warmup_are_cut_off():
    chosen = view(
        served(1.0, ttft=9.0), served(4.0, ttft=1.0), served(11.0, ttft=7.0), window=Window(3.0, 10.0)
    )
    assert len(chosen) == 1
    assert latency_figures(chosen)["ttft_s"]["max"] == 1.0


def test_requests_that_never_got_so_far_are_slower_than_all_others():
    waiting = {"arrived_at_s": 0.0, "status": RequestStatus.UNFINISHED}
    figures = latency_figures(view(*[served(0.0) for _ in range(19)], waiting))
    assert figures["ttft_s"]["p90"] == 1.0
    assert figures["ttft_s"]["p99"] is None


def test_rejected_requests_have_no_latency_but_miss_the_slo():
    rejected = {"arrived_at_s": 0.0, "status": RequestStatus.REJECTED}
    rows = (served(0.0), served(0.0), rejected, rejected)
    assert latency_figures(view(*rows))["ttft_s"]["p99"] == 1.0
    figures = request_figures(view(*rows), requests(*rows), WINDOW, Slo())
    assert figures["slo_attainment_frac"] == 0.5
    assert figures["num_rejected"] == 2


@pytest.mark.parametrize(
    ("limit", "attainment"),
    [({"ttft": "1 s"}, 1.0), ({"ttft": "0.9 s"}, 0.5), ({"tpot": "0.4 s"}, 0.5), ({"e2e": "1 s"}, 0.0)],
)
def test_every_limit_of_the_slo_counts(limit, attainment):
    slo = Slo(**limit)
    rows = (served(0.0), served(0.0, ttft=0.5, e2e=2.0))
    figures = request_figures(view(*rows, slo=slo), requests(*rows), WINDOW, slo)
    assert figures["slo_attainment_frac"] == attainment
    assert figures["goodput_requests_per_s"] == pytest.approx(2 * attainment / 10.0)
    assert figures["is_slo_met"] is (attainment == 1.0)


def test_without_limits_nothing_is_said_about_the_slo():
    assert request_figures(view(served(0.0)), requests(served(0.0)), WINDOW, Slo())["is_slo_met"] is None


def test_requests_per_second_counts_finishes_in_the_window():
    rows = [served(0.0, e2e=9.0), served(5.0, e2e=7.0)]
    assert request_figures(view(*rows), requests(*rows), WINDOW, Slo())["requests_per_s"] == pytest.approx(
        0.1
    )


def test_no_requests_have_no_figures():
    figures = latency_figures(view())
    assert figures["ttft_s"] == dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"))
