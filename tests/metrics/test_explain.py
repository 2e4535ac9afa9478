import pytest

from dcsim.metrics.request_view import view_requests
from dcsim.metrics.row_pass import read_rows
from dcsim.metrics.step_cost import CAUSES
from dcsim.metrics.window import Window
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.serving import Slo
from tests.metrics.by_hand import preemptions, requests, scenario, serving_tables, steps

WINDOW = Window(0.0, 10.0)


def explain(request_rows, step_rows, preemption_rows=None, group="mean", **overrides):
    served = resolve_deployment(scenario(**overrides), "chat")
    tables = serving_tables(request_rows, step_rows, preemption_rows)
    view = view_requests(tables.requests, WINDOW, served.request_overhead_s, Slo())
    return read_rows(served, tables, view, WINDOW, WINDOW).profiles[group].figures()


def request(arrived, scheduled, first, finished, **more):
    instants = {"scheduled_at_s": scheduled, "first_token_at_s": first, "finished_at_s": finished}
    return {"arrived_at_s": arrived, **instants, **more}


def prompt(at, duration, **more):
    return {"started_at_s": at, "duration_s": duration, "num_prefill_tokens": 500, "num_sampled": 1, **more}


def decode(at, duration, num_decodes, num_steps=1, **more):
    return {
        "started_at_s": at,
        "duration_s": duration,
        "num_decodes": num_decodes,
        "num_steps": num_steps,
        **more,
    }


def steps_s(part):
    return sum(part[cause] for cause in CAUSES)


def whole_s(found):
    parts = found["front_end_s"] + found["queue_wait_s"] + found["preemption_s"]
    return parts + steps_s(found["prefill"]) + steps_s(found["decode"]) + found["decode"]["interference_s"]


def test_the_parts_of_a_request_alone_are_its_queue_prefill_and_decode():
    found = explain(requests(request(0.0, 1.0, 1.5, 4.5)), steps(prompt(1.0, 0.5), decode(1.5, 3.0, 1, 9)))
    overhead_s = resolve_deployment(scenario(), "chat").request_overhead_s
    assert found["front_end_s"] == pytest.approx(overhead_s)
    assert found["queue_wait_s"] == pytest.approx(1.0 - overhead_s)
    assert steps_s(found["prefill"]) == pytest.approx(0.5)
    assert steps_s(found["decode"]) == pytest.approx(3.0)
    assert found["decode"]["interference_s"] == 0.0
    assert whole_s(found) == pytest.approx(found["total_s"], rel=1e-12)


def test_steps_with_prompts_only_are_interference_to_those_who_decode():
    rows = requests(request(0.0, 0.0, 1.0, 4.0), request(0.5, 2.0, 3.0, 4.0))
    found = explain(
        rows, steps(prompt(0.0, 1.0), decode(1.0, 1.0, 1, 4), prompt(2.0, 1.0), decode(3.0, 1.0, 2, 2))
    )
    assert found["decode"]["interference_s"] == pytest.approx(1.0 / 2)
    assert steps_s(found["prefill"]) == pytest.approx((1.0 + 1.0) / 2)
    assert whole_s(found) == pytest.approx(found["total_s"])


def test_a_chunk_beside_decodes_costs_them_what_the_step_takes_beyond_the_decodes():
    rows = requests(request(0.0, 0.0, 1.0, 2.0))
    mixed = {**decode(1.0, 1.0, 1), **prompt(1.0, 1.0), "num_sampled": 2}
    found = explain(rows, steps(prompt(0.0, 1.0), mixed))
    assert 0.0 < found["decode"]["interference_s"] < 1.0
    assert steps_s(found["decode"]) + found["decode"]["interference_s"] == pytest.approx(1.0)


def test_a_preemption_costs_the_time_to_the_next_token_and_is_counted_once():
    rows = requests(request(0.0, 0.0, 1.0, 6.0))
    held = preemptions({"request": 0, "preempted_at_s": 2.0, "last_token_at_s": 2.0, "next_token_at_s": 5.0})
    found = explain(
        rows, steps(prompt(0.0, 1.0), decode(1.0, 1.0, 1, 2), prompt(4.0, 1.0), decode(5.0, 1.0, 1)), held
    )
    assert found["preemption_s"] == pytest.approx(3.0)
    assert steps_s(found["decode"]) == pytest.approx(2.0)
    assert found["unattributed_s"] == pytest.approx(0.0, abs=1e-12)


def test_a_preemption_before_the_first_token_is_no_prefill():
    rows = requests(request(0.0, 0.0, 5.0, 6.0))
    held = preemptions({"request": 0, "preempted_at_s": 1.0, "next_token_at_s": 5.0})
    found = explain(rows, steps(prompt(0.0, 1.0, num_sampled=0), prompt(4.0, 1.0), decode(5.0, 1.0, 1)), held)
    assert found["preemption_s"] == pytest.approx(4.0)
    assert steps_s(found["prefill"]) == pytest.approx(1.0)
    assert whole_s(found) == pytest.approx(6.0)


def test_requests_are_explained_by_the_rows_of_their_own_pipeline_lane():
    rows = requests(request(0.0, 0.0, 1.0, 2.0), request(0.0, 0.0, 0.75, 1.5, engine=1))
    lanes = steps(
        prompt(0.0, 1.0), prompt(0.0, 0.75, engine=1), decode(1.0, 1.0, 1), decode(0.75, 0.75, 1, engine=1)
    )
    found = explain(rows, lanes, serving__chat__parallelism={"pipeline": 2})
    assert steps_s(found["prefill"]) == pytest.approx((1.0 + 0.75) / 2)
    assert found["decode"]["interference_s"] == 0.0
    assert found["unattributed_s"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("group", "total_s"), [("p99_ttft", 2.0), ("p99_e2e", 4.0)])
def test_the_tail_is_that_of_the_latency_named(group, total_s):
    slow_start, slow_end = request(0.0, 0.0, 1.5, 2.0), request(0.0, 0.0, 1.0, 4.0)
    rows = [request(0.0, 0.0, 1.0, 1.5)] * 3
    table = steps(prompt(0.0, 1.0), decode(1.0, 0.5, 4), decode(1.5, 0.5, 2), decode(2.0, 2.0, 1))
    found = explain(requests(*rows, slow_start, slow_end), table, group=group)
    assert found["num_requests"] == 1
    assert found["total_s"] == pytest.approx(total_s)


def test_unfinished_requests_are_not_explained():
    found = explain(requests({"arrived_at_s": 0.0, "status": 3}), steps(prompt(0.0, 1.0)))
    assert found["num_requests"] == 0
    assert found["total_s"] == 0.0
