"""What dcsim predicts of the workloads of ``dcsim validate here``: operators, and steps of all kinds.

Inference goes through the step-time formulas as they stand. A training step is put together from the same
operators: the backward pass of a product is two products, of attention 2.5 times its forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dcsim.calibration.validate.here_machine import Machine
from dcsim.calibration.validate.workloads.operators import Operator, OperatorCase
from dcsim.errors import InfeasibleError
from dcsim.formulas.deployment import Ceiling, Deployment
from dcsim.formulas.network.collectives import all_reduce_time
from dcsim.formulas.operators import Elementwise, Matmul, lm_head, token_kernels, token_matmuls
from dcsim.formulas.roofline import smooth_max_s
from dcsim.formulas.step_time import (
    StepWork,
    decode_attention_time,
    elementwise_time,
    prefill_attention_time,
    step_time,
)

ATTENTION_BACKWARD = (
    2.5  # of forward: five products for two (Dao, FlashAttention-2, 2023, arXiv:2307.08691, 3.1)
)
_ELEMENTWISE_BACKWARD = 2.0  # reads the input again beside the gradient: about twice the forward traffic
_LOSS_PASSES = 6.0  # over the logits in 32 bits: log-softmax 2; its gradient 3 and that of the choice 1
_LOGIT_BYTES = 4.0
_ADAMW_PASSES = 7.0  # reads weight, gradient and two moments, writes all but the gradient
_NORM_PASSES = 4.0  # residual add and norm: two read, two written, as formulas/operators.py counts them
_ACTIVATION_PASSES = 3.0  # gate and up read, product written


def operator_s(machine: Machine, case: OperatorCase) -> float:
    """Predicted time of one operator."""
    size = case.size
    if case.operator is Operator.GEMM:
        d = machine.one_layer(case.datatype, 1, 1, 64)
        return product_s(d, _product(d, size["num_rows"], size["num_columns"], size["inner_size"]))
    if case.operator in (Operator.NORM, Operator.ACTIVATION):
        d = machine.one_layer(case.datatype, 1, 1, 64)
        passes = _NORM_PASSES if case.operator is Operator.NORM else _ACTIVATION_PASSES
        kernel = Elementwise(1, passes * size["hidden_size"] * d.wide_bytes, str(case.operator))
        return float(elementwise_time(d, kernel, float(size["num_rows"])).total_s)
    d = machine.one_layer(case.datatype, size["num_heads"], size["num_kv_heads"], size["head_size"])
    batch = float(size["batch"])
    if case.operator is Operator.ATTENTION_DECODE:
        return float(decode_attention_time(d, batch, batch * size["context_tokens"]).total_s)
    tokens = float(size["chunk_tokens"])
    return float(prefill_attention_time(d, batch, 0.0, batch * tokens * tokens, batch * tokens).total_s)


def prefill_s(d: Deployment, batch: int, num_tokens: int) -> float:
    """Predicted time of a step that computes so many equal prompts and samples a token for each."""
    tokens = float(batch * num_tokens)
    work = StepWork(
        num_tokens=tokens,
        num_prefill_chunks=float(batch),
        prefill_square=tokens * num_tokens,
        prefill_context_tokens=tokens,
        num_sampled=float(batch),
    )
    return float(step_time(d, work).total_s)


def decode_s(d: Deployment, batch: int, context_tokens: int) -> float:
    """Predicted time of a decode step of so many sequences with equal contexts."""
    work = StepWork(
        num_tokens=float(batch),
        num_decodes=float(batch),
        decode_context_tokens=float(batch * context_tokens),
        num_sampled=float(batch),
    )
    return float(step_time(d, work).total_s)


def training_step_s(
    machine: Machine, d: Deployment, batch: int, num_tokens: int, num_parameters: int
) -> float:
    """Predicted time of forward, backward and one AdamW step over so many sequences of so many tokens."""
    rows = float(batch * num_tokens)
    products = [*token_matmuls(d, rows), lm_head(d, rows)]
    forward_s = sum(product.count * product_s(d, product) for product in products)
    backward_s = sum(
        product.count * product_s(d, one) for product in products for one in backward_products(d, product)
    )
    attention_s = float(prefill_attention_time(d, float(batch), 0.0, rows * num_tokens, rows).total_s)
    kernels_s = sum(float(elementwise_time(d, kernel, rows).total_s) for kernel in token_kernels(d))
    loss_s = _moved_s(d, d.elementwise, _LOSS_PASSES * _LOGIT_BYTES * rows * d.shape.vocab_size)
    total_s = forward_s + backward_s + (1.0 + ATTENTION_BACKWARD) * attention_s
    total_s += (1.0 + _ELEMENTWISE_BACKWARD) * kernels_s + loss_s
    return total_s + optimizer_s(machine, d, num_parameters)


def backward_products(d: Deployment, product: Matmul) -> tuple[Matmul, Matmul]:
    """The two products of a product's backward pass: the gradients of its input and of its weights."""
    rows, columns, inner = int(product.num_rows), product.num_columns, product.inner_size
    return _product(d, rows, inner, columns), _product(d, columns, inner, rows)


def optimizer_s(machine: Machine, d: Deployment, num_parameters: int) -> float:
    """Predicted time of one AdamW step, at its own ceilings where they were measured."""
    measured = machine.efficiency.optimizer
    ceiling = (
        d.elementwise
        if measured is None
        else Ceiling(measured.launch_s, measured.compute_frac, measured.memory_frac)
    )
    return _moved_s(d, ceiling, _ADAMW_PASSES * d.wide_bytes * num_parameters)


def all_reduces_s(machine: Machine, num_ranks: int, messages_bytes: Sequence[int]) -> float:
    """Predicted time of all-reduces one after the other.

    Raises
    ------
    InfeasibleError
        The profile knows nothing of all-reduces: they were not measured.
    """
    wire = machine.all_reduce_wire()
    if wire is None:
        raise InfeasibleError(f"{machine.name} holds no all-reduce: calibrate with two processes")
    return float(sum(float(all_reduce_time(wire, num_ranks, float(size))) for size in messages_bytes))


def product_s(d: Deployment, product: Matmul) -> float:
    """Predicted time of one run of a product, its launch and its residual included."""
    compute_s, memory_s = product.times(d)
    roofline_s = product.ceiling.launch_s + smooth_max_s(float(compute_s), float(memory_s))
    return roofline_s * float(product.residual_factor())


def _product(d: Deployment, num_rows: int, num_columns: int, inner_size: int) -> Matmul:
    """A product of any shape, in the deployment's datatype."""
    template = lm_head(d, float(num_rows))
    table = d.wide_gemm.residual
    return replace(
        template,
        num_columns=num_columns,
        inner_size=inner_size,
        residual=None if table is None else table.at(num_columns, inner_size),
    )


def _moved_s(d: Deployment, ceiling: Ceiling, num_bytes: float) -> float:
    """Time of a kernel that only moves memory."""
    return ceiling.launch_s + num_bytes / (d.memory_bytes_per_s * ceiling.memory_frac)
