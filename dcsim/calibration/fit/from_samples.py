"""A profile from one's own raw samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dcsim.calibration.fit.held_out import MeasuredCollective
from dcsim.calibration.fit.kernel_tables import kernel_tables
from dcsim.calibration.fit.operator_fit import fitted_operator, measured_points
from dcsim.calibration.fit.physical import Ceilings
from dcsim.calibration.fit.points import OperatorPoints, fastest
from dcsim.calibration.fit.power_remarks import power_remarks
from dcsim.calibration.fit.profile import FittedOperator, FittedProfile
from dcsim.calibration.fit.reference import Reference, reference_of
from dcsim.calibration.fit.sample_columns import COLUMNS, SampleColumns, numbers
from dcsim.calibration.samples import Machine, Samples, centres
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.collectives import all_reduce_time

# what a kernel finds in the cache: weights and keys and values of a layer were last used a step ago
_CACHE_STATES = {
    "gemm": "cold",
    "grouped_gemm": "cold",
    "attention_decode": "cold",
    "attention_prefill": "warm",
}
_SMALL_KERNELS = ("add_rms_norm", "rotary", "silu_mul")  # those of every layer, by dcsim's bytes
_OPTIMIZER_BYTES = 28.0
_MIN_POINTS = 6


def fit_samples(samples: Samples, *, accelerator: str | None = None) -> FittedProfile:
    """The profile of a machine from its raw samples.

    Shares refer to the peaks of the ``accelerator`` in the catalogue, or to the best that was measured.

    Raises
    ------
    ScenarioError
        Where operators that a profile must have were not measured, or only a few points of them.
    """
    table, machine = centres(samples.table), samples.machine
    reference = reference_of(machine, table, accelerator)
    operators: dict[str, FittedOperator] = {}
    for operator, columns in COLUMNS.items():
        for points in _points(table, operator, columns):
            if Datatype(points.key.partition(".")[2]) in reference.accelerator.peak_flops_per_s:
                source = f"{len(points)} points measured on {machine.device_name}"
                measured = measured_points(points, reference.accelerator)
                operators[points.key] = fitted_operator(measured, source)
    _require_complete(operators, table)
    elementwise = _small_kernels(table, reference, machine.device_name)
    operators["elementwise"] = elementwise
    operators |= kernel_tables(table, elementwise.ceilings, reference.accelerator.memory_bytes_per_s)
    operators |= _all_reduce(table, reference)
    max_tokens, max_context = _range(table)
    return FittedProfile(
        title=f"{machine.device_name}, measured",
        source=(
            f"dcsim calibrate on {machine.device_name} with PyTorch {machine.torch_version}, driver "
            f"{machine.driver_version or 'none'}, {machine.num_threads} threads, {machine.measured_at}"
        ),
        operators=operators,
        max_tokens=max_tokens,
        max_context_tokens=max_context,
        optimizer=_optimizer(table, reference, machine.device_name),
        reference=reference.node,
        warnings=reference.warnings,
        remarks=_remarks(table, reference, machine),
    )


def _remarks(table: pd.DataFrame, reference: Reference, machine: Machine) -> tuple[str, ...]:
    if not reference.is_known:  # its design power is not
        return ()
    return tuple(power_remarks(table, reference.accelerator, machine.cache_bytes))


def sample_points(table: pd.DataFrame) -> list[OperatorPoints]:
    """Products, experts and attention of a table of :func:`dcsim.calibration.samples.centres`."""
    return [points for operator, columns in COLUMNS.items() for points in _points(table, operator, columns)]


def _points(table: pd.DataFrame, operator: str, columns: SampleColumns) -> list[OperatorPoints]:
    """Points of an operator by datatype; few of them are none."""
    rows = table[table["operator"] == operator]
    state = _CACHE_STATES[operator]
    rows = rows[rows["cache"] == state] if (rows["cache"] == state).any() else rows
    found = []
    for datatype in sorted(set(rows["datatype"])):
        if datatype not in set(Datatype):
            continue
        own = rows[rows["datatype"] == datatype]
        own = own[own[[*columns.sites, *columns.axes]].notna().all(axis=1)]
        if len(own) >= _MIN_POINTS:
            sites, axes = numbers(own, columns.sites), numbers(own, columns.axes)
            seconds = own["seconds"].to_numpy(dtype=float)
            found.append(fastest(OperatorPoints(f"{operator}.{datatype}", sites, axes, seconds, (state,))))
    return found


def _require_complete(operators: Mapping[str, FittedOperator], table: pd.DataFrame) -> None:
    problems = []
    for operator in ("gemm", "attention_decode", "attention_prefill"):
        if not any(key.startswith(f"{operator}.") for key in operators):
            count = int((table["operator"] == operator).sum())
            remedy = "Go on measuring: the same dcsim calibrate command continues the samples"
            problems.append(
                Problem(
                    f"too few samples of {operator} for a profile", value=count, remedy=remedy, file="samples"
                )
            )
    if not table["operator"].isin(_SMALL_KERNELS).any():
        remedy = "Go on measuring: the same dcsim calibrate command continues the samples"
        problems.append(Problem("no samples of norms, rotary or activation", remedy=remedy, file="samples"))
    if problems:
        raise ScenarioError(problems)


def _small_kernels(table: pd.DataFrame, reference: Reference, device: str) -> FittedOperator:
    """Norm with residual add, rotary and activation: a site is a kernel's bytes per row."""
    rows = table[table["operator"].isin(_SMALL_KERNELS)]
    wide = rows[rows["datatype"].isin(("bf16", "fp16"))]
    rows = wide if len(wide) >= _MIN_POINTS else rows
    num_rows, num_bytes = rows["num_rows"].to_numpy(dtype=float), rows["num_bytes"].to_numpy(dtype=float)
    points = OperatorPoints(
        "elementwise",
        (num_bytes / num_rows)[:, None],
        num_rows[:, None],
        rows["seconds"].to_numpy(dtype=float),
        _SMALL_KERNELS,
    )
    return fitted_operator(
        measured_points(points, reference.accelerator), f"Norms, rotary, activation on {device}"
    )


def _all_reduce(table: pd.DataFrame, reference: Reference) -> dict[str, FittedOperator]:
    """All-reduces as residuals of the link that was measured."""
    rows = table[table["operator"] == "all_reduce"]
    if len(rows) < _MIN_POINTS or reference.link is None:
        return {}
    sites, axes = numbers(rows, ("num_ranks",)), numbers(rows, ("num_bytes",))
    points = fastest(OperatorPoints("all_reduce", sites, axes, rows["seconds"].to_numpy(dtype=float)))
    wire = Wire(reference.link.bytes_per_s, 1.0, reference.link.base_s, 0.0)
    formula_s = np.array(
        [
            float(all_reduce_time(wire, int(ranks), size))
            for ranks, size in zip(points.sites[:, 0], points.axes[:, 0], strict=True)
        ]
    )
    measured = MeasuredCollective(points, formula_s)
    return {"all_reduce": fitted_operator(measured, "All-reduces between processes of this machine")}


def _optimizer(table: pd.DataFrame, reference: Reference, device: str) -> FittedOperator | None:
    """AdamW on 32-bit parameters: launch and share of bandwidth."""
    rows = table[(table["operator"] == "optimizer_step") & (table["datatype"] == "fp32")]
    if len(rows) < 2:
        return None
    moved = rows["num_parameters"].to_numpy(dtype=float) * _OPTIMIZER_BYTES
    points = OperatorPoints(
        "elementwise",
        np.full((len(rows), 1), _OPTIMIZER_BYTES),
        moved[:, None] / _OPTIMIZER_BYTES,
        rows["seconds"].to_numpy(dtype=float),
    )
    measured = measured_points(points, reference.accelerator)
    found = measured.fit(np.ones(len(points), dtype=bool))
    ceilings = Ceilings(float(f"{found.launch_s:.4g}"), 1.0, float(f"{found.memory_frac:.4g}"))
    return FittedOperator(ceilings, f"{len(rows)} sizes of AdamW's step on {device}")


def _range(table: pd.DataFrame) -> tuple[int, int]:
    rows = table[table["operator"] == "gemm"]["num_rows"].max()
    context = table[table["operator"].str.startswith("attention")]["context_tokens"].max()
    return max(int(rows), 1), max(int(context), 1)
