"""The time of one micro-batch on one pipeline stage: operators, exposed communication, host."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.training.communication import Messages, StepMessages, total_s
from dcsim.formulas.training.cost import Cost
from dcsim.formulas.training.layer import PassCosts
from dcsim.formulas.training.overlap import Overlapped, overlapped
from dcsim.formulas.training.schedule import MicroBatchTime
from dcsim.formulas.training.software import SoftwareFacts


@dataclass(frozen=True, slots=True)
class LayerMessages:
    """Times of the messages of one layer and micro-batch, nothing hidden."""

    tensor_forward_s: float
    tensor_backward_s: float
    tensor_gradients_s: float
    context_forward_s: float
    context_backward_s: float
    expert_forward_s: float
    expert_backward_s: float
    gather_s: float
    scatter_s: float
    send_s: float
    num_tensor_chunks: int  # in which products and their collectives overlap: one per tensor rank
    repeated_frac: float  # share of the layers whose forward pass, messages included, is repeated

    @classmethod
    def of(cls, messages: StepMessages, network: GroupNetwork, repeated_frac: float) -> LayerMessages:
        """The times over a network."""

        def time_s(some: Messages) -> float:
            return total_s(some, network)

        return cls(
            time_s(messages.tensor_forward),
            time_s(messages.tensor_backward),
            time_s(messages.tensor_gradients),
            time_s(messages.context_forward),
            time_s(messages.context_backward),
            time_s(messages.expert_forward),
            time_s(messages.expert_backward),
            time_s(messages.gather_layer),
            time_s(messages.scatter_layer),
            time_s(messages.send),
            max((one.group.num_ranks for one in messages.tensor_forward), default=1),
            repeated_frac,
        )


@dataclass(frozen=True, slots=True)
class Exposed:
    """Exposed communication of a pass by cause, and what the pass loses to what is hidden."""

    tensor_s: float = 0.0
    context_s: float = 0.0
    expert_s: float = 0.0
    data_s: float = 0.0
    overlap_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.tensor_s + self.context_s + self.expert_s + self.data_s + self.overlap_s

    def plus(self, other: Exposed) -> Exposed:
        """One after the other."""
        return Exposed(
            self.tensor_s + other.tensor_s,
            self.context_s + other.context_s,
            self.expert_s + other.expert_s,
            self.data_s + other.data_s,
            self.overlap_s + other.overlap_s,
        )

    def times(self, factor: float) -> Exposed:
        """So many of them."""
        return Exposed(
            self.tensor_s * factor,
            self.context_s * factor,
            self.expert_s * factor,
            self.data_s * factor,
            self.overlap_s * factor,
        )


@dataclass(frozen=True, slots=True)
class StageTime:
    """One micro-batch on one stage: its operators, its exposed communication and the host's, by pass."""

    costs: PassCosts
    forward: Exposed
    backward: Exposed
    forward_host_s: float
    backward_host_s: float

    @property
    def micro_batch(self) -> MicroBatchTime:
        """The same, as a pipeline schedule sees it."""
        costs = self.costs
        return MicroBatchTime(
            forward_s=costs.forward.total_s + self.forward.total_s + self.forward_host_s,
            input_backward_s=costs.input_backward.total_s
            + costs.recompute.total_s
            + self.backward.total_s
            + self.backward_host_s,
            weight_backward_s=costs.weight_backward.total_s,
        )

    @property
    def total_s(self) -> float:
        """Forward and backward."""
        return self.micro_batch.forward_s + self.micro_batch.backward_s


def stage_time(
    layer: PassCosts,
    head: PassCosts,
    num_layers: float,
    messages: LayerMessages,
    software: SoftwareFacts,
) -> StageTime:
    """A stage of so many layers, with what stands before and behind them (``head``)."""
    forward = _exposed_forward(layer.forward, messages, software).times(num_layers)
    backward = _exposed_backward(layer, messages, software).times(num_layers)
    costs = layer.times(num_layers).plus(head)
    host_s = software.layer_host_s * num_layers
    backward_device_s = costs.total.total_s - costs.forward.total_s + backward.total_s
    return StageTime(
        costs=costs,
        forward=forward,
        backward=backward,
        forward_host_s=max(0.0, host_s - costs.forward.total_s - forward.total_s),
        backward_host_s=max(0.0, (2.0 + messages.repeated_frac) * host_s - backward_device_s),
    )


def _exposed_forward(forward: Cost, messages: LayerMessages, software: SoftwareFacts) -> Exposed:
    times = (
        messages.tensor_forward_s,
        messages.context_forward_s,
        messages.expert_forward_s,
        messages.gather_s,
    )
    return _exposed(times, forward.total_s, messages.num_tensor_chunks, software)


def _exposed_backward(layer: PassCosts, messages: LayerMessages, software: SoftwareFacts) -> Exposed:
    """Of the backward pass; recomputing a layer repeats its forward messages.

    What tensor ranks sum up for the gradients of inputs may run beside the products of the gradients of
    weights.
    """
    window_s = layer.input_backward.total_s + layer.weight_backward.total_s
    times = (
        messages.tensor_backward_s,
        messages.context_backward_s,
        messages.expert_backward_s,
        messages.gather_s + messages.scatter_s,
    )
    chunks = messages.num_tensor_chunks
    exposed = _exposed(times, window_s, chunks, software).plus(_exposed_gradients(layer, messages, software))
    if messages.repeated_frac == 0.0:
        return exposed
    again = (messages.tensor_forward_s, messages.context_forward_s, messages.expert_forward_s, 0.0)
    return exposed.plus(
        _exposed(again, layer.forward.total_s, chunks, software).times(messages.repeated_frac)
    )


def _exposed_gradients(layer: PassCosts, messages: LayerMessages, software: SoftwareFacts) -> Exposed:
    """Of the sums of the gradients of inputs over tensor ranks."""
    overlap = software.overlap
    found = overlapped(
        messages.tensor_gradients_s,
        layer.weight_backward.total_s,
        overlap.tensor_gradients_frac,
        compute_slowdown_frac=overlap.compute_slowdown_frac,
        network_slowdown_frac=overlap.network_slowdown_frac,
    )
    return Exposed(tensor_s=found.exposed_s, overlap_s=found.slowdown_s)


def _exposed(
    times_s: tuple[float, float, float, float], window_s: float, num_chunks: int, software: SoftwareFacts
) -> Exposed:
    """Four kinds of messages, each hidden in its own share of the window.

    Tensor-parallel collectives overlap with the product whose input or output they are, rank by rank: one
    chunk of as many as there are ranks stays exposed (Wang et al., "Overlap communication with dependent
    computation via decomposition", ASPLOS 2023).
    """
    overlap = software.overlap
    fracs = (overlap.tensor_frac, overlap.context_frac, overlap.expert_frac, overlap.parameters_frac)
    edges_s = (times_s[0] / num_chunks if overlap.tensor_frac > 0.0 else 0.0, 0.0, 0.0, 0.0)
    found: list[Overlapped] = [
        overlapped(
            time_s - edge_s,
            window_s,
            frac,
            compute_slowdown_frac=overlap.compute_slowdown_frac,
            network_slowdown_frac=overlap.network_slowdown_frac,
        )
        for time_s, edge_s, frac in zip(times_s, edges_s, fracs, strict=True)
    ]
    tensor, context, expert, data = (
        one.exposed_s + edge_s for one, edge_s in zip(found, edges_s, strict=True)
    )
    return Exposed(tensor, context, expert, data, sum(one.slowdown_s for one in found))
