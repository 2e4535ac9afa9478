"""The matrix products of one training layer on one rank: their sizes, and their three passes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import RecomputedModule
from dcsim.formulas.training.cost import NOTHING, Cost
from dcsim.formulas.training.hardware import Kernel
from dcsim.formulas.training.operator_time import matmul_cost
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.transformer import (
    TransformerShape,
    num_attention_layers,
    num_linear_attention_parameters,
    num_mlp_matrices,
)

FULL_GRADIENT_BYTES = 4.0
ACCUMULATION_FRAC = 0.93
"""Rate of products that add to gradients in 32 bits, over the rate of others: 0.94 on A100, 0.91 on B200
(MooreThreads, SimuMax, configs/system/a100_pcie.json and b200_bf16_ceperm.json, measured: layout NT over TN
and NN)."""

GROUPED_FRAC = 0.92
"""Rate of grouped products with a thousand rows or more to a group, over that of plain ones: 0.93 forward and
for inputs, 0.91 for weights on B200 (same table, group_matmul)."""

_FULL_WIDTH = frozenset({Datatype.FP32, Datatype.TF32})


@dataclass(frozen=True, slots=True)
class Product:
    """(rows x inner) by (inner x columns) on one rank, the rows in groups with a weight matrix each.

    ``layers_frac`` is the share of the layers that have it; a wide one stays in 16 bits.
    """

    rows: float
    columns: int
    inner: int
    num_groups: float = 1.0
    layers_frac: float = 1.0
    is_wide: bool = False
    ends_layer: bool = False  # what comes out leaves the layer: no gradient within it needs it
    module: RecomputedModule | None = None  # that it belongs to, of those that may be computed again alone

    @property
    def is_grouped(self) -> bool:
        """Whether there are several weight matrices."""
        return self.num_groups > 1.0

    @property
    def flops(self) -> float:
        """Operations of the forward pass, a multiplication and an addition counted as two."""
        return 2.0 * self.rows * self.columns * self.inner

    @property
    def num_rank_weights(self) -> float:
        """Weights on the rank, of a layer that has it."""
        return self.num_groups * self.columns * self.inner

    @property
    def num_parameters(self) -> float:
        """Weights on the rank, over the mean layer."""
        return self.num_rank_weights * self.layers_frac


def wide_bytes(plan: TrainingPlan) -> float:
    """Bytes per element between the products: 2, or 4 where training runs in 32 bits."""
    return 4.0 if plan.linear in _FULL_WIDTH else 2.0


def narrow_bytes(plan: TrainingPlan) -> float:
    """Bytes per element that enters a linear layer."""
    return plan.linear.num_bytes


def forward_cost(product: Product, kernel: Kernel, input_bytes: float, output_bytes: float) -> Cost:
    """Y = X W."""
    moved = product.num_groups * product.columns * product.inner * input_bytes
    moved += product.rows * (product.inner * input_bytes + product.columns * output_bytes)
    cost = matmul_cost(kernel, product.rows, product.columns, product.inner, product.num_groups, moved)
    return cost.times(1.0 / GROUPED_FRAC) if product.is_grouped else cost


def input_gradient_cost(product: Product, kernel: Kernel, input_bytes: float, output_bytes: float) -> Cost:
    """dX = dY W^T: columns and inner size change places."""
    turned = replace(product, columns=product.inner, inner=product.columns)
    return forward_cost(turned, kernel, input_bytes, output_bytes)


def weight_gradient_cost(product: Product, kernel: Kernel, input_bytes: float, gradient_bytes: float) -> Cost:
    """dW = X^T dY, added to the gradients so far: the tokens are the inner size."""
    groups = max(product.num_groups, 1.0)
    if product.rows <= 0.0:
        return NOTHING
    moved = product.rows * (product.columns + product.inner) * input_bytes
    moved += groups * product.columns * product.inner * 2.0 * gradient_bytes
    rows, inner = product.columns * groups, max(1, round(product.rows / groups))
    cost = matmul_cost(kernel, rows, product.inner, inner, groups, moved)
    rate_frac = GROUPED_FRAC if product.is_grouped else 1.0
    rate_frac *= ACCUMULATION_FRAC if gradient_bytes >= FULL_GRADIENT_BYTES else 1.0
    return cost.times(1.0 / rate_frac)


def layer_products(plan: TrainingPlan, shape: TransformerShape) -> list[Product]:
    """The products of the mean layer."""
    tokens = plan.num_micro_tokens
    softmax_frac = num_attention_layers(shape) / shape.num_layers
    up = RecomputedModule.LATENT_UP
    products = [
        Product(tokens, columns, inner, layers_frac=softmax_frac, module=up if _is_up(shape, inner) else None)
        for columns, inner in attention_sizes(shape, plan.tensor)
    ]
    if shape.linear is not None:
        columns = -(-num_linear_attention_parameters(shape) // (shape.hidden_size * plan.tensor))
        products.append(Product(tokens, columns, shape.hidden_size, layers_frac=1.0 - softmax_frac))
    return products + _mlp_products(plan, shape)


def _is_up(shape: TransformerShape, inner: int) -> bool:
    """Whether a projection of attention goes up from a rank of latent attention."""
    return shape.latent is not None and inner in (shape.latent.query_rank, shape.latent.kv_rank)


def attention_sizes(shape: TransformerShape, tensor: int) -> list[tuple[int, int]]:
    """(columns, inner size) of each projection of attention on one of ``tensor`` ranks.

    Latent attention's down-projections are computed by every rank (DeepSeek-V2, arXiv:2405.04434).
    """
    heads, kv_heads = -(-shape.num_heads // tensor), -(-shape.num_kv_heads // tensor)
    if shape.latent is None:
        gate = heads if shape.has_output_gate else 0
        width = heads * shape.head_size
        return [
            ((heads + gate + 2 * kv_heads) * shape.head_size, shape.hidden_size),
            (shape.hidden_size, width),
        ]
    latent = shape.latent
    query_width = heads * (latent.nope_head_size + latent.rope_head_size)
    down = latent.kv_rank + latent.rope_head_size
    if latent.query_rank is None:
        sizes = [(query_width + down, shape.hidden_size)]
    else:
        sizes = [(latent.query_rank + down, shape.hidden_size), (query_width, latent.query_rank)]
    sizes.append((heads * (latent.nope_head_size + latent.value_head_size), latent.kv_rank))
    sizes.append((shape.hidden_size, heads * latent.value_head_size))
    return sizes


def _mlp_products(plan: TrainingPlan, shape: TransformerShape) -> list[Product]:
    tokens, hidden, matrices = plan.num_micro_tokens, shape.hidden_size, num_mlp_matrices(shape)
    experts, products = shape.experts, []
    dense_frac = 1.0 if experts is None else experts.num_dense_layers / shape.num_layers
    if dense_frac > 0.0:
        width = -(-shape.ffn_size // plan.tensor)
        dense = Product(tokens, (matrices - 1) * width, hidden, layers_frac=dense_frac)
        products += _pair(replace(dense, module=RecomputedModule.MLP), width)
    if experts is None:
        return products
    sparse_frac = 1.0 - dense_frac
    split = plan.sequence_split
    products.append(
        Product(tokens / split, experts.num_experts, hidden, layers_frac=sparse_frac, is_wide=True)
    )
    local = max(1, experts.num_experts // plan.expert)
    width = -(-experts.expert_ffn_size // plan.expert_tensor)
    rows = num_routed_rows(plan, shape) * plan.imbalance
    routed = Product(rows, (matrices - 1) * width, hidden, float(local), sparse_frac)
    products += _pair(routed, width)
    if experts.num_shared_experts:
        width = -(-experts.num_shared_experts * experts.expert_ffn_size // plan.tensor)
        shared = Product(tokens, (matrices - 1) * width, hidden, layers_frac=sparse_frac)
        products += _pair(shared, width)
    return products


def _pair(up: Product, width: int) -> list[Product]:
    """A product into the inner width of an MLP, and the one back."""
    return [up, replace(up, columns=up.inner, inner=width, ends_layer=True)]


def num_routed_rows(plan: TrainingPlan, shape: TransformerShape) -> float:
    """Rows that the mean rank's experts see: its tokens by experts per token, and the copies of its group.

    Tensor ranks bring equal parts of the tokens; an expert that is spread over ranks sees those of all.
    """
    if shape.experts is None:
        return 0.0
    per_token = shape.experts.num_experts_per_token
    return plan.num_micro_tokens * per_token * plan.expert_tensor / plan.tensor
