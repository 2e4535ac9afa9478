"""The log of requests: how many are outstanding, on average."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.sim.serving.log import RequestLog
from dcsim.tables import RequestStatus


def test_outstanding_requests_count_from_arrival_to_end_within_the_stretch() -> None:
    log, ones = RequestLog(), np.ones(6, np.int64)
    log.extend(np.array([0.0, 5.0, 12.0, 14.0, 15.0, 30.0]), ones, ones, -ones, -ones)
    ends_s = {0: (RequestStatus.FINISHED, 8.0), 1: (RequestStatus.FINISHED, 13.0)}
    ends_s[2] = (RequestStatus.TIMED_OUT, 16.0)
    for row, (status, end_s) in ends_s.items():
        log.status[row], log.finished_at_s[row] = status, end_s
    log.status[3] = RequestStatus.REJECTED
    # within 10 to 20 s: 3 s of the second, 4 of the third, none of the fourth, 5 of the fifth, which runs on
    assert log.mean_outstanding(10.0, 20.0) == pytest.approx((3 + 4 + 5) / 10)
    assert log.mean_outstanding(15.0, 20.0) == pytest.approx((1 + 5) / 5)
