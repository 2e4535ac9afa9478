"""Shares of the cluster's money, energy and carbon, by the accelerator time that each piece of work held."""

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
    """What the whole cluster cost, drew and emitted in the window, and the accelerator time there was."""

    accelerator_s: float  # held or not
    whole: Share

    @classmethod
    def of(cls, cluster: Figures, accelerator_s: float) -> ClusterBill:
        """The bill that the sections ``cost``, ``energy`` and ``carbon`` make out."""
        found = (("cost", "total_usd"), ("energy", "it_j"), ("carbon", "total_kg"))
        return cls(accelerator_s, Share(*(_number(cluster, *path) for path in found)))

    def share(self, held_accelerator_s: float) -> Share:
        """The share of work that held so much accelerator time."""
        share_frac = held_accelerator_s / self.accelerator_s if self.accelerator_s else 0.0
        whole = (self.whole.cost_usd, self.whole.it_j, self.whole.carbon_kg)
        return Share(*(None if one is None else one * share_frac for one in whole))


def _number(cluster: Figures, section: str, key: str) -> float | None:
    figures = cluster.get(section)
    found = figures.get(key) if isinstance(figures, dict) else None
    return found if isinstance(found, float) else None
