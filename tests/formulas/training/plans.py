"""Plans, hardware and software for tests: round numbers, no measured residuals."""

from __future__ import annotations

from dataclasses import replace

from dcsim.formulas.deployment import Ceiling, Wire
from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.power import PowerCurve
from dcsim.formulas.training.hardware import Kernel, TrainingHardware
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import LatentAttention, MixtureOfExperts, TransformerShape
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward

GPT3 = TransformerShape(96, 12288, 96, 96, 128, 49152, 51200, is_gated=False, has_tied_embeddings=True)
LLAMA_8B = TransformerShape(32, 4096, 32, 8, 128, 14336, 128256)
MIXTRAL = replace(LLAMA_8B, vocab_size=32000, experts=MixtureOfExperts(8, 2, 14336))
DEEPSEEK = TransformerShape(
    61,
    7168,
    128,
    128,
    128,
    18432,
    129280,
    experts=MixtureOfExperts(256, 8, 2048, num_shared_experts=1, num_dense_layers=3),
    latent=LatentAttention(512, 1536, 64, 128, 128),
)
PEAK_FLOPS_PER_S = 1e15
MEMORY_BYTES_PER_S = 2e12


def kernel() -> Kernel:
    return Kernel(Ceiling(3e-6, 0.8, 0.8), PEAK_FLOPS_PER_S, MEMORY_BYTES_PER_S, 100)


def network(num_per_domain: int = 8) -> GroupNetwork:
    return GroupNetwork(Wire(400e9, 0.8, 5e-6, 1e-6), Wire(50e9, 0.9, 7e-6, 3e-6), num_per_domain)


def hardware(num_per_domain: int = 8) -> TrainingHardware:
    return TrainingHardware(
        linear=kernel(),
        wide=kernel(),
        attention=kernel(),
        memory_bytes=80e9,
        memory_bytes_per_s=MEMORY_BYTES_PER_S,
        streaming_frac=0.8,
        causal_square_frac=0.5,
        network=network(num_per_domain),
        num_per_node=num_per_domain,
        host_bytes_per_s=50e9,
        nvme_bytes_per_s=3e9,
        power=PowerCurve(700.0, 70.0, 0.1, 0.5, 1.0, 0.9),
    )


HARDWARE = hardware()
SOFTWARE = SoftwareFacts()


def plan(**changes: object) -> TrainingPlan:
    """Llama 3 8B on one accelerator, eight sequences of 4,096 tokens, and what is changed."""
    base = TrainingPlan(
        shape=LLAMA_8B, num_sequences=8, num_sequence_tokens=4096, schedule=OneForwardOneBackward()
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def gpt3(**changes: object) -> TrainingPlan:
    """GPT-3 as Megatron-LM trained it, one micro-batch of one sequence, and what is changed."""
    base = TrainingPlan(
        shape=GPT3,
        num_sequences=1,
        num_sequence_tokens=2048,
        schedule=OneForwardOneBackward(),
        has_dropout=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]
