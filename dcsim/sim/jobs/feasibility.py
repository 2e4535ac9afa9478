"""Whether a job could ever start, on nodes that are all there and empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dcsim.policies.nodes import Nodes, NodeShape
from dcsim.policies.placement import Placement
from dcsim.policies.request import Request
from dcsim.tables.jobs import JobReason


@dataclass(slots=True)
class Feasibility:
    """Says why requests can never be met; remembers what it has said."""

    shapes: Sequence[NodeShape]
    placement: Placement
    _nodes: Nodes = field(init=False)
    _known: dict[Request, JobReason] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes = Nodes(self.shapes)

    def reason(self, request: Request) -> JobReason:
        """Why the request can never be met; NONE if it can."""
        if request not in self._known:
            self._known[request] = self._found(request)
        return self._known[request]

    def _found(self, request: Request) -> JobReason:
        if self._fits(request):
            return JobReason.NONE
        if request.num_accelerators > self._nodes.num_accelerators:
            return JobReason.ACCELERATORS
        sizes = np.array([shape.num_accelerators for shape in self.shapes])
        if request.num_accelerators > sizes[self._nodes.accepting(request.models)].sum():
            return JobReason.MODEL
        if self._fits(replace(request, cores=0.0)):
            return JobReason.CORES
        return JobReason.MEMORY if self._fits(replace(request, memory_bytes=0.0)) else JobReason.NODES

    def _fits(self, request: Request) -> bool:
        return self.placement.place(self._nodes, request, np.random.Generator(np.random.PCG64(0))) is not None
