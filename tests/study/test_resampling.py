import numpy as np
import pytest

from dcsim.catalog.engine import OverheadName
from dcsim.spec.deployment import resolve_deployment, resolve_efficiency
from dcsim.spec.scenario import Scenario
from dcsim.study.resampling import ESTIMATED_OVERHEAD, POWER, Normals, assumed_spreads, resampled
from tests.study.scenarios_for_tests import tiny

NONE = [[0.0] * 3] * 3
COVARIANCE = [[0.04, 0.0, 0.01], [0.0, 0.01, 0.0], [0.01, 0.0, 0.0225]]


def known(covariance: object = NONE, scale: float = 0.0, **more: object) -> Scenario:
    """A scenario whose plain products have this uncertainty, in bf16."""
    ceilings = {"launch": "3 us", "compute": 0.4, "memory": 0.4}
    uncertainty = {"gemm.bf16": {"covariance": covariance, "scale": scale}}
    profile = {"base": "h100-sxm", "uncertainty": uncertainty, "gemm": {"bf16": ceilings}, "residuals": None}
    return tiny(serving__chat__efficiency=profile, **more)


def test_the_numbers_of_a_name_are_one_in_each_stratum():
    values = sorted(Normals(1, draw, 20)["a"] for draw in range(20))
    edges = [-1.645, -1.282, -1.036, -0.842, -0.674, -0.524, -0.385, -0.253, -0.126, 0.0]
    assert all(low < edge < high for low, edge, high in zip(values, edges, values[1:], strict=False))
    assert np.mean(values) == pytest.approx(0.0, abs=1e-12)
    assert np.std(values) == pytest.approx(1.0)


def test_names_seeds_and_draws_have_numbers_of_their_own():
    orders = {tuple(Normals(seed, draw, 9)[name] for draw in range(9)) for seed in (1, 2) for name in "ab"}
    assert len(orders) == 4
    assert Normals(1, 2, 4)["a"] == Normals(1, 2, 4)["a"]


def test_drawn_ceilings_have_the_covariance_that_was_stated():
    scenario = known(COVARIANCE)
    before = scenario.serving["chat"].efficiency.gemm["bf16"]
    logs = []
    for draw in range(100):
        after = resampled(scenario, Normals(3, draw, 100)).serving["chat"].efficiency.gemm["bf16"]
        names = ("launch_s", "compute_frac", "memory_frac")
        logs.append([np.log(getattr(after, name) / getattr(before, name)) for name in names])
    found, stated = np.cov(np.array(logs).T), np.array(COVARIANCE)
    scale = np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
    assert np.abs(found - stated) / scale == pytest.approx(0.0, abs=0.25)  # 2.5 errors of a correlation
    assert np.diag(found) == pytest.approx(np.diag(stated), rel=0.15)


def test_a_common_factor_lengthens_all_of_an_operator():
    scenario = known(scale=0.2)
    before = resolve_deployment(scenario, "chat").deployment.gemm
    after = resolve_deployment(resampled(scenario, slowest(scenario)), "chat").deployment.gemm
    factor = after.launch_s / before.launch_s
    assert factor > 1.2
    assert before.compute_frac / after.compute_frac == pytest.approx(factor)
    assert before.memory_frac / after.memory_frac == pytest.approx(factor)


def slowest(scenario: Scenario) -> Normals:
    draws = [Normals(scenario.seed, draw, 24) for draw in range(24)]
    return max(draws, key=lambda one: one["h100-sxm.gemm.bf16"])


def test_no_share_exceeds_its_peak():
    for draw in range(24):
        drawn = resampled(known(scale=1.0), Normals(1, draw, 24)).serving["chat"].efficiency
        ceilings = [*drawn.gemm.values(), *drawn.attention_decode.values(), drawn.elementwise]
        assert all(0.0 < one.compute_frac <= 1.0 and 0.0 < one.memory_frac <= 1.0 for one in ceilings)


def test_an_operator_without_error_is_as_it_was():
    scenario = known()
    drawn = resampled(scenario, Normals(1, 0, 24))
    assert drawn.serving["chat"].efficiency.gemm["bf16"] == scenario.serving["chat"].efficiency.gemm["bf16"]


def test_what_is_not_drawn_stays():
    scenario = tiny()
    before = resolve_efficiency(scenario.serving["chat"], scenario.cluster.installed_accelerator)
    after = resampled(scenario, Normals(1, 0, 24)).serving["chat"].efficiency
    drawn = {"gemm", "grouped_gemm", "attention_decode", "attention_prefill", "elementwise"}
    kept = dict(before).keys() - drawn - {"collective_link"}
    assert {name: dict(after)[name] for name in kept} == {name: dict(before)[name] for name in kept}
    tables = before.residuals()
    assert all(after.residuals()[key] is tables[key] for key in tables if key != "all_reduce")


def test_workloads_on_the_same_machine_share_its_draw():
    one = tiny().document["serving"]["chat"]
    both = resampled(tiny(serving={"chat": one, "code": one}), Normals(1, 5, 24)).serving
    assert both["chat"].engine == both["code"].engine
    assert dict(both["chat"].efficiency) == dict(both["code"].efficiency)


def test_collectives_are_drawn_with_and_without_a_table():
    wire = resolve_deployment(
        resampled(tiny(serving__chat__parallelism={"tensor": 2}), Normals(1, 5, 24)), "chat"
    ).deployment.tensor_wire
    plain = resolve_deployment(tiny(serving__chat__parallelism={"tensor": 2}), "chat").deployment.tensor_wire
    sizes = np.array([1e3, 1e7])
    before = 1.0 if plain.residual is None else plain.residual.at(2).factor(sizes)
    factors = wire.residual.at(2).factor(sizes) / before
    assert factors[0] == pytest.approx(factors[1])
    assert factors[0] != pytest.approx(1.0, abs=1e-4)


def test_an_engine_without_statements_gets_the_assumed_spread_and_says_so():
    scenario = tiny()
    chat = scenario.serving["chat"]
    engine = chat.engine.model_copy(update={"uncertainty": {}})
    scenario = scenario.model_copy(update={"serving": {"chat": chat.model_copy(update={"engine": engine})}})
    logs = [
        np.log(
            resampled(scenario, Normals(1, draw, 100)).serving["chat"].engine.request_overhead_s
            / scenario.serving["chat"].engine.request_overhead_s
        )
        for draw in range(100)
    ]
    found = {one.parameter: one for one in assumed_spreads(scenario)}
    (stated,) = (one.log_sd for name, one in found.items() if name.endswith(" request_overhead"))
    assert stated <= ESTIMATED_OVERHEAD
    assert np.std(logs) == pytest.approx(stated, rel=0.05)
    assert "accelerators/h100-sxm busy_power" not in found  # its entry states one


def test_power_has_the_spread_that_the_accelerator_states_or_else_an_assumed_one():
    for node, log_sd in (("dgx-h100", 0.14), ("dgx-a100", POWER)):
        scenario = tiny(cluster__node=node, economics=None)
        known = scenario.cluster.installed_accelerator.busy_power.memory_frac
        drawn = [resampled(scenario, Normals(1, draw, 50)).cluster for draw in range(50)]
        logs = [np.log(one.installed_accelerator.busy_power.memory_frac / known) for one in drawn]
        assert np.std(logs) == pytest.approx(log_sd)
        is_assumed = any(one.parameter.endswith("busy_power") for one in assumed_spreads(scenario))
        assert is_assumed == (node != "dgx-h100")


def test_what_is_stated_is_not_assumed():
    engine = {"base": "vllm", "uncertainty": {name.value: 0.1 for name in OverheadName}}
    found = [one.parameter for one in assumed_spreads(tiny(serving__chat__engine=engine))]
    assert not [one for one in found if one.startswith("engines")]


def test_both_16_bit_types_share_one_statement():
    scenario = known(scale=0.3, serving__chat__precision="fp16")
    found = [one.parameter for one in assumed_spreads(scenario)]
    assert not [one for one in found if one.startswith("efficiency") and one.endswith("gemm.fp16")]
