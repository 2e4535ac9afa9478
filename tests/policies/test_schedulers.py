from dataclasses import dataclass

from dcsim.policies.scheduler import Budget
from dcsim.policies.schedulers.chunked_prefill import ChunkedPrefill
from dcsim.policies.schedulers.prefill_first import PrefillFirst
from dcsim.policies.schedulers.sarathi import Sarathi


@dataclass
class Prompt:
    num_target_tokens: int
    num_computed_tokens: int = 0
    num_held_blocks: int = 0


def budget(tokens: int = 100, seqs: int = 10, free: int = 1000, watermark: int = 0) -> Budget:
    return Budget(tokens, seqs, free, watermark, block_size=16)


def counts(plan) -> list[int]:
    return [count for _, count in plan.chunks]


def test_decodes_come_off_the_token_budget_before_prompts():
    plan = ChunkedPrefill().schedule([Prompt(80), Prompt(80)], [], 30, budget(tokens=100))
    assert plan.has_decodes
    assert counts(plan) == [70]
    assert plan.num_admitted == 1


def test_prompts_that_have_begun_go_before_waiting_ones():
    begun, new = Prompt(60, num_computed_tokens=40), Prompt(90)
    plan = Sarathi().schedule([new], [begun], 0, budget(tokens=100))
    assert plan.chunks == [(begun, 20), (new, 80)]
    assert plan.num_admitted == 1


def test_no_more_sequences_are_admitted_than_slots_are_free():
    for scheduler in (ChunkedPrefill(), Sarathi(), PrefillFirst()):
        plan = scheduler.schedule([Prompt(5)] * 4, [], 0, budget(seqs=3))
        assert plan.num_admitted == 3


def test_chunked_prefill_needs_blocks_for_the_chunk_only():
    plan = ChunkedPrefill().schedule([Prompt(640)], [], 0, budget(tokens=64, free=4))
    assert counts(plan) == [64]


def test_sarathi_needs_blocks_for_the_whole_prompt():
    assert Sarathi().schedule([Prompt(640)], [], 0, budget(tokens=64, free=39)).num_admitted == 0
    assert Sarathi().schedule([Prompt(640)], [], 0, budget(tokens=64, free=40)).num_admitted == 1


def test_the_watermark_stays_free():
    assert Sarathi().schedule([Prompt(160)], [], 0, budget(free=14, watermark=5)).num_admitted == 0
    assert Sarathi().schedule([Prompt(160)], [], 0, budget(free=15, watermark=5)).num_admitted == 1


def test_blocks_that_others_use_need_not_be_free():
    shared = Prompt(160, num_computed_tokens=96, num_held_blocks=6)
    assert Sarathi().schedule([shared], [], 0, budget(free=4)).num_admitted == 1


def test_prefill_first_interrupts_the_decodes_with_whole_prompts():
    plan = PrefillFirst().schedule([Prompt(60), Prompt(30), Prompt(30)], [], 50, budget(tokens=100))
    assert not plan.has_decodes
    assert counts(plan) == [60, 30]


def test_prefill_first_runs_a_prompt_beyond_the_budget_alone():
    plan = PrefillFirst().schedule([Prompt(500), Prompt(3)], [], 0, budget(tokens=100))
    assert counts(plan) == [500]


def test_prefill_first_decodes_when_nobody_can_be_admitted():
    plan = PrefillFirst().schedule([Prompt(500)], [], 7, budget(free=3))
    assert plan.has_decodes
    assert not plan.chunks


def test_the_first_that_cannot_be_admitted_blocks_the_others():
    for scheduler in (Sarathi(), PrefillFirst()):
        plan = scheduler.schedule([Prompt(160), Prompt(16)], [], 1, budget(tokens=1000, free=5))
        assert plan.num_admitted == 0
