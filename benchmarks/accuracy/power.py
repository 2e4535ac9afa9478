"""Power of accelerators given the measured speed: the fits of the catalogue, and their errors.

    python -m benchmarks.accuracy.power [tests/published/energy_llm.csv]

Takes the rows of a truth file with measured power, throughput and batch size, works out what an accelerator
executed and moved per second from dcsim's own operator lists at the MEASURED speed, so that the power model
is judged apart from the time model, and prints for each device: the curve fitted on the rows of split fit,
its errors there and on the rows held out, and those of fits on all rows that leave one model out; and
beside them the curve of the catalogue and constant TDP.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.calibration.fit.power import (
    PowerSamples,
    between_groups,
    fitted_curve,
    left_out_log_errors,
    predicted_w,
)
from dcsim.calibration.validate.published_row import scenario_of
from dcsim.calibration.validate.truth_file import Split, TruthRow, read_truth_file
from dcsim.formulas.executed_work import executed_compute_s, executed_memory_s
from dcsim.formulas.power import PowerCurve
from dcsim.formulas.step_time import StepWork
from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.workloads.lengths.lognormal import Lognormal

RUN = "run"
TRUTH = Path("tests/published/energy_llm.csv")


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """The rows of one accelerator."""

    name: str
    curve: PowerCurve
    samples: PowerSamples
    rows: Sequence[TruthRow]

    @property
    def is_fitted(self) -> npt.NDArray[np.bool_]:
        """Rows that constants may be fitted on."""
        return np.array([row.split is Split.FIT for row in self.rows])

    @property
    def is_moe(self) -> npt.NDArray[np.bool_]:
        """Rows of models with experts."""
        return np.array([_deployment(row).deployment.shape.experts is not None for row in self.rows])


def devices(rows: Sequence[TruthRow]) -> list[Device]:
    """The rows by accelerator."""
    by_name: dict[str, list[TruthRow]] = {}
    for row in rows:
        by_name.setdefault(_deployment(row).accelerator.name, []).append(row)
    return [
        Device(name, _deployment(of_one[0]).accelerator.power_curve, samples(of_one), of_one)
        for name, of_one in by_name.items()
    ]


def samples(rows: Sequence[TruthRow]) -> PowerSamples:
    """Measured power and the use that goes with the measured speed; a group is a model."""
    uses = np.array([_use(row) for row in rows])
    return PowerSamples(
        power_w=np.array([row.measured[f"serving.{RUN}.accelerator_power_w"] for row in rows]),
        memory_use_frac=uses[:, 0],
        compute_use_frac=uses[:, 1],
        group=np.array([_deployment(row).model.name for row in rows]),
    )


def _deployment(row: TruthRow) -> ServingDeployment:
    return resolve_deployment(scenario_of(row), RUN)


def _use(row: TruthRow) -> tuple[float, float]:
    """Shares of peak bandwidth and of peak compute in the steady state of a run."""
    served = _deployment(row)
    lengths = scenario_of(row).serving[RUN].traffic.lengths
    assert isinstance(lengths, Lognormal)
    batch = row.measured[f"serving.{RUN}.batch_size.mean"]
    step_s = batch / row.measured[f"serving.{RUN}.output_tokens_per_s"]
    memory_s = compute_s = 0.0
    for share, work in steady_steps(served, batch, lengths.prompt_mean, lengths.output_mean):
        memory_s += share * float(executed_memory_s(served.deployment, work))
        compute_s += share * float(executed_compute_s(served.deployment, work))
    return memory_s / step_s, compute_s / step_s


def steady_steps(
    served: ServingDeployment, batch: float, prompt: float, output: float
) -> list[tuple[float, StepWork]]:
    """Shares of steps and their work while ``batch`` sequences decode and ended ones are replaced.

    batch / output prompts start per step, by chance: a share of 1 - exp(-that) of the steps has one or more,
    and no fewer than the limit on tokens asks for. Sequences are half-way through their output, but hold
    no more than the KV cache does.
    """
    context = min(prompt + output / 2.0, served.num_blocks_per_lane * served.block_size / batch)
    per_step = batch / output
    share = min(max(1.0 - math.exp(-per_step), per_step * prompt / served.max_num_batched_tokens), 1.0)
    chunks = per_step / share
    decodes = StepWork(
        num_tokens=batch, num_decodes=batch, decode_context_tokens=batch * context, num_sampled=batch
    )
    mixed = StepWork(
        num_tokens=batch + chunks * prompt,
        num_decodes=batch,
        decode_context_tokens=batch * context,
        num_prefill_chunks=chunks,
        prefill_square=chunks * prompt**2,
        prefill_context_tokens=chunks * prompt,
        num_sampled=batch + chunks,
    )
    return [(1.0 - share, decodes), (share, mixed)]


def report(device: Device) -> list[str]:
    """Lines on one device."""
    tdp_w, idle_w, fitted = device.curve.tdp_w, device.curve.idle_w, device.is_fitted
    curve = fitted_curve(device.samples.where(fitted), tdp_w, idle_w)
    log_errors = left_out_log_errors(device.samples, tdp_w, idle_w)
    coefficients = (curve.active_frac, curve.memory_frac, curve.compute_frac, curve.cap_frac)
    text = "active {:.3f}, memory {:.3f}, compute {:.3f}, cap {:.3f}".format(*coefficients)
    lines = [f"{device.name}: {text}, fitted on {fitted.sum()} of {len(fitted)} rows"]
    errors = {
        "fit of split fit": _errors(curve, device.samples),
        "catalogue": _errors(device.curve, device.samples),
        "one model left out": np.abs(np.expm1(log_errors)),
        "constant TDP": np.abs(tdp_w / device.samples.power_w - 1.0),
    }
    parts = {
        "fit, dense": fitted & ~device.is_moe,
        "fit, experts": fitted & device.is_moe,
        "held out, dense": ~fitted & ~device.is_moe,
        "held out, experts": ~fitted & device.is_moe,
        "all": np.ones(len(fitted), dtype=bool),
    }
    for what, found in errors.items():
        for part, mask in parts.items():
            lines.append(f"  {what:18s} {part:18s} {_summary(found[mask])}")
    spread = between_groups(device.samples, log_errors)
    lines.append(f"  mean log error of a model left out, root mean square: {spread:.3f}")
    return lines


def _errors(curve: PowerCurve, of: PowerSamples) -> npt.NDArray[np.float64]:
    return np.abs(predicted_w(curve, of) / of.power_w - 1.0)


def _summary(errors: npt.NDArray[np.float64]) -> str:
    figures = (np.median(errors), errors.mean(), np.quantile(errors, 0.9))
    return "median {:5.1%}  mean {:5.1%}  p90 {:5.1%}".format(*figures) + f"  ({len(errors)} rows)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path, nargs="?", default=TRUTH)
    for device in devices(read_truth_file(parser.parse_args().truth)):
        print("\n".join(report(device)))


if __name__ == "__main__":
    main()
