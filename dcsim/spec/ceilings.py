"""From an accelerator and its efficiency profile to the ceilings of one kind of operator."""

from __future__ import annotations

from collections.abc import Collection

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency, OperatorEfficiency
from dcsim.errors import InfeasibleError
from dcsim.formulas.datatypes import WEIGHT_ONLY, Datatype
from dcsim.formulas.deployment import Ceiling
from dcsim.formulas.residual import ResidualTable

ALIKE = {Datatype.BF16: Datatype.FP16, Datatype.FP16: Datatype.BF16}


def wide_datatype(activations: Datatype, accelerator: Accelerator) -> Datatype:
    """The datatype of attention, router and LM head: 16 bits, or wider where activations are."""
    if activations in (Datatype.FP32, Datatype.TF32):
        return activations
    peaks = accelerator.peak_flops_per_s
    return next((kind for kind in (Datatype.BF16, Datatype.FP16) if kind in peaks), Datatype.FP32)


def known_datatype(datatype: Datatype, known: Collection[Datatype], where: str, what: str) -> Datatype:
    """The datatype, or the other 16-bit one, if it is among the ``known``."""
    for candidate in (datatype, ALIKE.get(datatype, datatype)):
        if candidate in known:
            return candidate
    names, remedy = ", ".join(known), ""
    if datatype in WEIGHT_ONLY:
        remedy = f"; as a format of weights alone: precision: {{base: bf16, weights: {datatype}}}"
    raise InfeasibleError(f"{where}: {what} has no figures for {datatype}; it has {names}{remedy}")


def operator_ceiling(efficiency: Efficiency, operator: str, datatype: Datatype, where: str) -> Ceiling:
    """The ceilings of one kind of operator in a datatype, with the residuals measured for it.

    Raises InfeasibleError if the profile knows neither it nor its like.
    """
    known: dict[Datatype, OperatorEfficiency] = getattr(efficiency, operator)
    found = known_datatype(datatype, known, where, f"efficiency profile {efficiency.name}")
    return as_ceiling(known[found], _operator_residual(efficiency, operator, found))


def _operator_residual(efficiency: Efficiency, operator: str, datatype: Datatype) -> ResidualTable | None:
    """The residual of an operator, or that of the other 16-bit type, which runs through the same kernels."""
    tables = efficiency.residuals()
    keys = (f"{operator}.{kind}" for kind in (datatype, ALIKE.get(datatype, datatype)))
    return next((tables[key] for key in keys if key in tables), None)


def as_ceiling(efficiency: OperatorEfficiency, residual: ResidualTable | None = None) -> Ceiling:
    """An entry of a profile as the formulas take it."""
    return Ceiling(efficiency.launch_s, efficiency.compute_frac, efficiency.memory_frac, residual)
