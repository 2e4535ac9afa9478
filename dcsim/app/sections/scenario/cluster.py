"""The cluster drawn: nodes, accelerators, who has them, and what joins them."""

from __future__ import annotations

import streamlit as st

import dcsim
from dcsim.app.draft import Draft
from dcsim.app.figures.cluster import Placement, cluster_figure, num_hidden
from dcsim.app.show import figure
from dcsim.app.words import Words

ORDER, PLACE = 2, "beside"


def show(draft: Draft, words: Words) -> None:
    """The drawing."""
    scenario = draft.checked().scenario
    if scenario is None:
        return
    cluster, node = scenario.cluster, scenario.cluster.node
    replicas = tuple(
        (name if number == 0 else f"{name}: prefill", pool.num_replicas, pool.parallelism.num_accelerators)
        for name, one in scenario.serving.items()
        for number, pool in enumerate(one.pools)
    )
    training = tuple((name, 1, one.num_accelerators) for name, one in draft.checked().training.items())
    replicas += training
    placement = Placement(cluster.num_nodes, node.num_accelerators, replicas)
    st.subheader(words("cluster.title"), help=words("cluster.help"))
    used = sum(number * size for _, number, size in replicas)
    total = cluster.num_nodes * node.num_accelerators
    scale_up, scale_out = (dcsim.entry_title("links", name)[0] for name in (node.scale_up, node.scale_out))
    says = words(
        "cluster.says",
        nodes=f"{cluster.num_nodes:,}",
        node=node.title,
        used=f"{used:,}",
        total=f"{total:,}",
        accelerator=cluster.installed_accelerator.title,
        link=scale_up,
    )
    st.markdown(says)
    network = f"{words('cluster.network')}: {scale_out} × {node.num_nics}"
    figure(cluster_figure(placement, node.name, network, words), "cluster", says)
    if num_hidden(placement):
        st.caption(words("cluster.hidden", count=f"{num_hidden(placement):,}"))
