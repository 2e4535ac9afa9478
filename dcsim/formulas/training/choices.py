"""What a training job chooses among: recomputation, sharding, optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Recompute(StrEnum):
    """Which activations are computed again in the backward pass instead of being kept."""

    NONE = "none"
    SELECTIVE = "selective"  # the attention core (Korthikanti et al., arXiv:2205.05198, section 5)
    FULL = "full"  # everything but the input of each layer


class RecomputedModule(StrEnum):
    """Parts of a layer that are computed again by themselves (Megatron-LM, --recompute-modules)."""

    NORMS = "layernorm"  # before attention and before the MLP
    EXPERT_ACTIVATION = "moe_act"  # of routed experts
    LATENT_UP = "mla_up_proj"  # latent attention's projections up from the ranks, and positions
    MLP = "mlp"  # of dense layers


class Sharding(StrEnum):
    """What data-parallel ranks share out instead of copying (ZeRO, Rajbhandari et al., arXiv:1910.02054)."""

    NONE = "none"
    OPTIMIZER = "optimizer"  # ZeRO-1: optimiser state
    GRADIENTS = "gradients"  # ZeRO-2: gradients as well
    FULL = "full"  # ZeRO-3, FSDP: weights as well


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Bytes that an optimiser keeps and moves for each trained parameter.

    ``state_bytes`` leaves out the master weights; ``traffic_bytes`` is read and written in one step:
    gradient, master weight and state read, master weight, state and 16-bit weight written.
    """

    name: str
    state_bytes: float
    traffic_bytes: float


MASTER_BYTES = 4.0  # weights in 32 bits beside those that are multiplied in 16 bits or fewer


class OptimizerName(StrEnum):
    """The optimisers that are known."""

    ADAMW = "adamw"
    ADAMW_16BIT = "adamw_16bit"
    ADAMW_8BIT = "adamw_8bit"
    ADAFACTOR = "adafactor"
    SGD = "sgd"
    MUON = "muon"


OPTIMIZERS = {
    OptimizerName.ADAMW: Optimizer("adamw", 8.0, 4.0 + 12.0 + 12.0 + 2.0),  # two moments in 32 bits
    OptimizerName.ADAMW_16BIT: Optimizer("adamw_16bit", 4.0, 4.0 + 8.0 + 8.0 + 2.0),  # moments in bf16
    OptimizerName.ADAMW_8BIT: Optimizer(
        "adamw_8bit", 2.004, 4.0 + 6.004 + 6.004 + 2.0
    ),  # two moments in 8 bits, a scale of 32 bits to 2,048 of each (Dettmers et al., arXiv:2110.02861)
    OptimizerName.ADAFACTOR: Optimizer(
        "adafactor", 0.01, 4.0 + 4.0 + 4.0 + 2.0
    ),  # a row and a column for each matrix (Shazeer and Stern, arXiv:1804.04235)
    OptimizerName.SGD: Optimizer("sgd", 4.0, 4.0 + 8.0 + 8.0 + 2.0),  # momentum
    OptimizerName.MUON: Optimizer("muon", 4.0, 4.0 + 8.0 + 8.0 + 2.0),  # momentum; its products not counted
}
