import pytest

from dcsim.errors import ScenarioError
from dcsim.spec.loader import load
from tests.spec.scenarios import TEXT, changed

FIXED = "{policy: fixed, prompt: 100, output: 10}"
POISSON = "{policy: poisson, rate: 4 /s}"


def test_a_sound_scenario_has_no_problems():
    assert load(TEXT).name == "small"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("name: small", "name: ../small", "1: name: must be a short name"),
        ("  chat:", "  a/b:", "7: serving.a/b: the name of a served model is not usable"),
        (
            "duration: 10 min",
            "duration: 10 min\nwarmup: 10 min",
            "3: warmup: must be shorter than the duration, 600 s",
        ),
        ("duration: 10 min\n", "", "12: serving.chat.traffic: the arrivals never end"),
        (POISSON, "{policy: burst}", "13: serving.chat.traffic: a burst needs a number of requests"),
        (f"      lengths: {FIXED}\n", "", "13: serving.chat.traffic.lengths: a required key is missing"),
        (f"lengths: {FIXED}", f"lengths: {FIXED}\n      trace: x.csv", "exclude each other"),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    parallelism: {tensor: 3}",
            "tensor: must divide the model's 32 heads",
        ),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    parallelism: {pipeline: 3}",
            "must divide the model's 32 layers",
        ),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    parallelism: {tensor: 2, expert: 2}",
            "the model has no experts",
        ),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    expert_skew: 1",
            "expert_skew: must be 0: the model has no experts",
        ),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    max_model_len: 200000",
            "longest context, 131072 (got 200000)",
        ),
        (
            "num_replicas: 8",
            "num_replicas: 8\n    max_model_len: 100",
            "prompt and output are 110 tokens, more than",
        ),
        (
            FIXED,
            "{policy: fixed, prompt: 200000, output: 10}",
            "15: serving.chat.traffic.lengths: prompt and output",
        ),
        (
            f"lengths: {FIXED}",
            f"lengths: {FIXED}\n      shared_prefix: {{tokens: 131072}}",
            "shared_prefix.tokens: must be at most",
        ),
        (
            f"lengths: {FIXED}",
            f"lengths: {FIXED}\n      shared_prefix: {{tokens: 101}}",
            "shared_prefix.tokens: must be at most the prompt, 100 tokens",
        ),
        (
            "ttft: 1 s, tpot: 50 ms",
            "ttft: 2 s, e2e: 1 s",
            "12: serving.chat.slo.ttft: must be at most e2e, 1 s",
        ),
        (
            "ttft: 1 s, tpot: 50 ms",
            "attainment: 99 %",
            "12: serving.chat.slo: has an attainment but no limit",
        ),
        (
            "dgx-h100",
            "{base: dgx-h100, accelerator: h100}",
            "4: cluster.node.accelerator: no entry of that name",
        ),
        ("dgx-h100", "{base: dgx-h100, scale_up: nvlink}", "4: cluster.node.scale_up: no entry of that name"),
        ("dgx-h100", "{base: dgx-h100, name: mine}", "17: economics.prices: has no price for node mine"),
        (
            "router: random",
            "scheduler: {policy: sarathi, max_num_seqs: 64, max_num_batched_tokens: 32}",
            "11: serving.chat.scheduler.max_num_batched_tokens: must be at least max_num_seqs, 64",
        ),
        (
            "engine: vllm",
            "engine: {base: vllm, scheduler: sarati}",
            "9: serving.chat.engine.scheduler: unknown policy (got 'sarati'). Did you mean 'sarathi'?",
        ),
    ],
)
def test_a_contradiction_is_told_where_it_stands(old, new, text):
    with pytest.raises(ScenarioError) as caught:
        load(changed((old, new)))

    assert text in str(caught.value)


def test_an_endless_closed_loop_is_refused_and_one_with_an_end_is_not():
    endless = changed((POISSON, "{policy: closed_loop, concurrency: 4}"), ("duration: 10 min\n", ""))

    with pytest.raises(ScenarioError, match="the arrivals never end"):
        load(endless)
    assert load(endless, overrides={"serving.chat.traffic.num_requests": "10"}).duration_s is None


@pytest.mark.parametrize(
    ("expert", "hint"), [("3", "must divide the model's 8 experts"), ("8", "must divide tensor, 4")]
)
def test_experts_are_spread_evenly_over_the_tensor_ranks(expert, hint):
    text = changed(("llama-3.1-8b", "mixtral-8x7b"))
    settings = {"serving.chat.parallelism": f"{{tensor: 4, expert: {expert}}}"}

    with pytest.raises(ScenarioError, match=hint):
        load(text, overrides=settings)


def test_key_value_heads_may_be_copied_over_more_ranks_but_not_split_unevenly():
    assert (
        load(TEXT, overrides={"serving.chat.parallelism.tensor": "16"}).serving["chat"].parallelism.tensor
        == 16
    )


def test_all_contradictions_are_told_at_once():
    changes = [
        ("name: small", "name: /"),
        ("ttft: 1 s, tpot: 50 ms", "attainment: 0.9"),
        ("prompt: 100", "prompt: 200000"),
    ]

    with pytest.raises(ScenarioError) as caught:
        load(changed(*changes))

    assert [problem.line for problem in caught.value.problems] == [1, 12, 15]
