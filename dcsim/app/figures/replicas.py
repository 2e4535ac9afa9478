"""How evenly the replicas of a workload share its work."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed
from dcsim.app.palette import SERIES
from dcsim.app.words import Words


def replicas_figure(replicas: Mapping[str, object], words: Words) -> go.Figure:
    """Busy time of each replica, in percent, with the requests that it served; prefill ones in a colour."""
    figure = framed(x_title=words("figures.replica"), y_title=words("figures.busy_percent"))
    numbers, busy, served = (replicas[key] for key in ("replica", "utilization_frac", "num_finished"))
    assert isinstance(numbers, list)
    assert isinstance(busy, list)
    roles = replicas.get("role", ["both"] * len(numbers))
    assert isinstance(roles, list)
    figure.add_bar(
        x=numbers,
        y=[None if one is None else one * 100.0 for one in busy],
        customdata=served,
        text=[words(f"figures.{role}") if role != "both" else "" for role in roles],
        marker={"color": [SERIES[1] if role == "prefill" else SERIES[0] for role in roles]},
        showlegend=False,
        hovertemplate=f"%{{x}}: %{{y:.1f}} %, %{{customdata:,}} {words('figures.requests')}<extra></extra>",
    )
    figure.update_xaxes(dtick=1 if len(numbers) <= 16 else None)
    figure.update_yaxes(range=[0, 105])
    return figure
