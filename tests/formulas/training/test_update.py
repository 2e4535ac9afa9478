"""The optimiser's update: every pass over gradients and weights takes its bytes over the memory's rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.catalog.loader import load_entry
from dcsim.catalog.software import Software
from dcsim.formulas.training.choices import Sharding
from dcsim.formulas.training.parameters import num_trained_parameters
from dcsim.formulas.training.plan import Offload
from dcsim.formulas.training.update import update_time
from tests.formulas.training.plans import HARDWARE, SOFTWARE, plan

WHOLE = plan(data=8, num_sequences=64, sharding=Sharding.NONE)
SHARED = replace(WHOLE, sharding=Sharding.OPTIMIZER)


def bytes_per_parameter(one: object, **passes: float) -> float:
    software = replace(SOFTWARE, efficiency_frac=1.0, **passes)  # type: ignore[arg-type]
    moved = update_time(one, HARDWARE, software).optimizer_s * HARDWARE.streaming_bytes_per_s  # type: ignore[arg-type]
    return moved / sum(num_trained_parameters(WHOLE))


def test_adam_moves_30_bytes_and_reads_gradients_once_more_for_their_norm() -> None:
    assert bytes_per_parameter(WHOLE) == pytest.approx(30.0 + 4.0)
    assert bytes_per_parameter(SHARED) == pytest.approx(34.0 / 8)


def test_passes_over_kept_gradients_are_not_shared_out_and_those_of_the_update_are() -> None:
    assert bytes_per_parameter(WHOLE, gradient_pass_bytes=12.0, update_pass_bytes=12.0) == pytest.approx(58.0)
    shared = bytes_per_parameter(SHARED, gradient_pass_bytes=12.0, update_pass_bytes=12.0)
    assert shared == pytest.approx(12.0 + (34.0 + 12.0) / 8)


def test_the_host_has_its_own_passes_over_what_is_offloaded() -> None:
    outside = replace(WHOLE, offload=Offload(optimizer_frac=1.0))
    without, with_passes = (bytes_per_parameter(outside, update_pass_bytes=some) for some in (0.0, 12.0))
    assert without == with_passes


def test_megatron_of_2021_updates_in_58_bytes_as_its_kernels_count() -> None:
    entry = load_entry("software", "megatron-2021")
    assert isinstance(entry, Software)
    zero, divide, unscale, norm, adam, copy = 4.0, 8.0, 8.0, 4.0, 28.0, 6.0
    passes = {
        "gradient_pass_bytes": entry.facts.gradient_pass_bytes,
        "update_pass_bytes": entry.facts.update_pass_bytes,
    }
    counted = zero + divide + unscale + norm + adam + copy
    assert bytes_per_parameter(WHOLE, **passes) == pytest.approx(counted)
