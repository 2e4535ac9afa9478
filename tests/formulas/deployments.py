"""Small deployments with round figures for tests of formulas."""

from dataclasses import replace

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.deployment import Ceiling, Deployment, Wire
from dcsim.formulas.transformer import LatentAttention, MixtureOfExperts, TransformerShape

LLAMA_8B = TransformerShape(
    num_layers=32,
    hidden_size=4096,
    num_heads=32,
    num_kv_heads=8,
    head_size=128,
    ffn_size=14336,
    vocab_size=128256,
)
MIXTRAL = replace(LLAMA_8B, vocab_size=32000, experts=MixtureOfExperts(8, 2, 14336))
SMALL_MLA = TransformerShape(
    num_layers=4,
    hidden_size=1024,
    num_heads=16,
    num_kv_heads=16,
    head_size=128,
    ffn_size=4096,
    vocab_size=32000,
    experts=MixtureOfExperts(16, 2, 512, num_shared_experts=1, num_dense_layers=1),
    latent=LatentAttention(
        kv_rank=128, query_rank=256, rope_head_size=32, nope_head_size=64, value_head_size=64
    ),
)
WIRE = Wire(bytes_per_s=450e9, achievable_frac=0.8, base_s=5e-6, hop_s=0.0)


def deployment(
    shape: TransformerShape = LLAMA_8B, *, tensor: int = 1, pipeline: int = 1, expert: int = 1
) -> Deployment:
    """An H100-like accelerator, 16-bit datatypes."""
    return Deployment(
        shape=shape,
        weights=Datatype.BF16,
        activations=Datatype.BF16,
        kv_cache=Datatype.BF16,
        tensor=tensor,
        pipeline=pipeline,
        expert=expert,
        peak_flops_per_s=1e15,
        attention_peak_flops_per_s=1e15,
        memory_bytes_per_s=3e12,
        num_compute_units=132,
        gemm=Ceiling(3e-6, 0.8, 0.9),
        grouped_gemm=Ceiling(20e-6, 0.4, 0.85),
        wide_gemm=Ceiling(3e-6, 0.8, 0.9),
        decode=Ceiling(10e-6, 0.8, 0.9),
        prefill=Ceiling(10e-6, 0.5, 0.3),
        elementwise=Ceiling(2e-6, 1.0, 0.5),
        causal_square_frac=0.5,
        tensor_wire=WIRE,
        pipeline_wire=WIRE,
        step_overhead_s=1e-3,
        sequence_overhead_s=1e-5,
    )
