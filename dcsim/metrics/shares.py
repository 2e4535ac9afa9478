"""Shares of the cluster's money and energy, by the accelerator time that each piece of work held."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.economics import usd_per_million_tokens
from dcsim.metrics.figures import Figures, ratio


@dataclass(frozen=True, slots=True)
class Share:
    """Part of what the cluster cost and drew; None where the whole is not known."""

    cost_usd: float | None
    it_j: float | None

    def figures(self) -> Figures:
        """Both."""
        return {"cost_usd": self.cost_usd, "it_j": self.it_j}

    def of_tokens(self, num_tokens: float, kind: str) -> Figures:
        """Both, in all and by token; ``kind`` says of which tokens: ``token``, ``output_token``."""
        usd, it_j = self.cost_usd, self.it_j
        per_million = None if usd is None else usd_per_million_tokens(usd, num_tokens)
        return {
            **self.figures(),
            f"usd_per_million_{kind}s": per_million,
            f"it_j_per_{kind}": None if it_j is None else ratio(it_j, num_tokens),
        }


@dataclass(frozen=True, slots=True)
class ClusterBill:
    """What the whole cluster cost and drew in the window, and the accelerator time that there was."""

    accelerator_s: float  # held or not
    whole: Share

    @classmethod
    def of(cls, cluster: Figures, accelerator_s: float) -> ClusterBill:
        """The bill that the sections ``energy`` and ``cost`` make out."""
        found = (_number(cluster, "cost", "total_usd"), _number(cluster, "energy", "it_j"))
        return cls(accelerator_s, Share(*found))

    def share(self, held_accelerator_s: float) -> Share:
        """The share of work that held so much accelerator time."""
        share_frac = held_accelerator_s / self.accelerator_s if self.accelerator_s else 0.0
        usd, it_j = self.whole.cost_usd, self.whole.it_j
        return Share(
            None if usd is None else usd * share_frac,
            None if it_j is None else it_j * share_frac,
        )


def _number(cluster: Figures, section: str, key: str) -> float | None:
    figures = cluster.get(section)
    found = figures.get(key) if isinstance(figures, dict) else None
    return found if isinstance(found, float) else None
