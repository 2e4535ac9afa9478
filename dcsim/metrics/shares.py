"""Shares of the cluster's money, energy and carbon: by the accelerator time held, and by who drew power."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.economics import usd_per_million_tokens
from dcsim.metrics.figures import Figures, ratio
from dcsim.units import TOKENS_PER_MILLION


@dataclass(frozen=True, slots=True)
class Share:
    """Part of what the cluster cost, drew and emitted; None where the whole is not known."""

    cost_usd: float | None
    it_j: float | None
    carbon_kg: float | None

    def figures(self) -> Figures:
        """All of it."""
        return {"cost_usd": self.cost_usd, "it_j": self.it_j, "carbon_kg": self.carbon_kg}

    def of_tokens(self, num_tokens: float, kind: str) -> Figures:
        """The same in all and by token; ``kind`` says of which tokens: ``token``, ``output_token``."""
        usd, it_j, kg = self.cost_usd, self.it_j, self.carbon_kg
        per_million = None if usd is None else usd_per_million_tokens(usd, num_tokens)
        return {
            **self.figures(),
            f"usd_per_million_{kind}s": per_million,
            f"it_j_per_{kind}": None if it_j is None else ratio(it_j, num_tokens),
            f"kg_per_million_{kind}s": None if kg is None else ratio(kg * TOKENS_PER_MILLION, num_tokens),
        }


@dataclass(frozen=True, slots=True)
class ClusterBill:
    """What the whole cluster cost, drew and emitted in the window, and the accelerator time there was.

    Money, what idle nodes draw and what it took to make them go by the accelerator time held. What is drawn
    above idle goes to the work that drew it, and the carbon of power with the power.
    """

    accelerator_s: float  # held or not
    rise_j: float  # of all accelerators, above idle
    cost_usd: float | None
    it_j: float | None
    idle_j: float | None  # of it_j, what the nodes had drawn if all had stood idle
    operational_kg: float | None
    embodied_kg: float | None

    @classmethod
    def of(cls, cluster: Figures, accelerator_s: float, rise_j: float) -> ClusterBill:
        """The bill that the sections ``cost``, ``energy`` and ``carbon`` make out."""
        paths = (
            *(("cost", "total_usd"), ("energy", "it_j"), ("energy", "idle_j")),
            *(("carbon", "operational_kg"), ("carbon", "embodied_kg")),
        )
        return cls(accelerator_s, rise_j, *(_number(cluster, *path) for path in paths))

    def share(self, held_accelerator_s: float, rise_j: float) -> Share:
        """The share of work that held so much accelerator time, and drew so much above idle."""
        held_frac = held_accelerator_s / self.accelerator_s if self.accelerator_s else 0.0
        cost_usd = None if self.cost_usd is None else self.cost_usd * held_frac
        if self.it_j is None or self.idle_j is None:
            return Share(cost_usd, None, None)
        rise_frac = rise_j / self.rise_j if self.rise_j else 0.0
        it_j = self.idle_j * held_frac + (self.it_j - self.idle_j) * rise_frac
        if self.operational_kg is None:
            return Share(cost_usd, it_j, None)
        operational_kg = self.operational_kg * (it_j / self.it_j if self.it_j else held_frac)
        return Share(cost_usd, it_j, operational_kg + (self.embodied_kg or 0.0) * held_frac)


def _number(cluster: Figures, section: str, key: str) -> float | None:
    figures = cluster.get(section)
    found = figures.get(key) if isinstance(figures, dict) else None
    return found if isinstance(found, float) else None
