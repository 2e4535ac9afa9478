"""Accelerators: GPU, TPU, FPGA or CPU, by their data sheets."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from dcsim.catalog.entry import Entry
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.power import PowerCurve
from dcsim.units import (
    BytesPerSecond,
    FlopsPerSecond,
    Kilograms,
    PositiveBytes,
    PositiveFraction,
    Ratio,
    Watts,
)


class AcceleratorKind(StrEnum):
    """What sort of device an accelerator is."""

    GPU = "gpu"
    TPU = "tpu"
    FPGA = "fpga"
    CPU = "cpu"


class BusyPower(BaseModel):
    """Coefficients of busy power, as fractions of TDP: min(cap, idle + active + memory*u_m + compute*u_c).

    Use counts what is executed, padding of tiles included: see ``dcsim.formulas.executed_work``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    active_frac: Ratio = Field(alias="active", description="Rise above idle as soon as the device is busy.")
    memory_frac: Ratio = Field(alias="memory", description="Rise at full memory bandwidth.")
    compute_frac: Ratio = Field(
        alias="compute", description="Rise at full dense compute of the datatype used."
    )
    cap_frac: Ratio = Field(alias="cap", description="Highest power seen, as a fraction of TDP.")


class Accelerator(Entry):
    """One accelerator. Peaks are dense, bandwidths are per direction."""

    kind: AcceleratorKind = Field(description="gpu, tpu, fpga or cpu.")
    memory_bytes: PositiveBytes = Field(alias="memory", description="Device memory.")
    memory_bytes_per_s: BytesPerSecond = Field(alias="memory_bandwidth", description="Peak memory bandwidth.")
    peak_flops_per_s: dict[Datatype, FlopsPerSecond] = Field(
        alias="peak_compute", description="Peak dense rate of operations for each datatype."
    )
    num_compute_units: int = Field(
        gt=0, description="Streaming multiprocessors, or their like: the waves of a kernel."
    )
    tdp_w: Watts = Field(alias="tdp", description="Thermal design power.")
    idle_w: Watts = Field(alias="idle_power", description="Power when idle with a model loaded.")
    busy_power: BusyPower = Field(description="How power rises with use.")
    power_uncertainty: PositiveFraction | None = Field(
        default=None,
        description="Standard deviation of a common log factor on the power of one deployment's "
        "accelerators: what the curve is off by as a whole for a model that it was not fitted on.",
    )
    sustained_frac: dict[Datatype, Ratio] = Field(
        default_factory=dict,
        alias="sustained_compute",
        description="Share of the rates in the efficiency profile that matrix products keep in hours of "
        "training, by datatype, 1 if left out: profiles are of short runs, maybe on another device, and "
        "power is limited.",
    )
    attention_gain: Ratio = Field(
        default=1.0,
        description="How many times as fast its attention is in training as by the efficiency profile, which "
        "is of another device.",
    )
    embodied_kg: Kilograms = Field(alias="embodied_carbon", description="Cradle-to-gate CO2 equivalent.")
    efficiency: str = Field(description="The efficiency profile used unless a scenario names another.")

    @property
    def power_curve(self) -> PowerCurve:
        """How its power rises with use."""
        busy = self.busy_power
        return PowerCurve(
            tdp_w=self.tdp_w,
            idle_w=self.idle_w,
            active_frac=busy.active_frac,
            memory_frac=busy.memory_frac,
            compute_frac=busy.compute_frac,
            cap_frac=busy.cap_frac,
        )
