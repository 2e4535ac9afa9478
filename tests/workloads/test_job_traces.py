"""Job traces: every format is read and recognised, and bad lines are named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.workloads.job_trace import JobTrace, recognized_job_format
from dcsim.workloads.job_traces.csv import Csv
from dcsim.workloads.job_traces.philly import Philly
from dcsim.workloads.jobs.poisson import Poisson
from dcsim.workloads.node_list import read_node_list

PHILLY = """timestamp,duration,num_gpus,gpu_time,cluster
2017-10-09 07:01:55,66.0,1,66.0,11cb48
2017-10-09 06:13:03,2951.0,8,23608.0,6214e9
"""
ACME = """job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time
a,u1,1,8,128,Other,COMPLETED,2023-03-01 00:00:10+08:00,x,x,100,13,800
b,u2,0,0,16,Other,FAILED,2023-03-01 00:00:00+08:00,x,x,50,0,0
c,u1,2,16,256,MLLM,FAILED,2023-03-01 00:00:20+08:00,x,x,7,0,112
"""  # noqa: E501
HELIOS = """job_id,user,vc,jobname,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue
1,ann,vc1,train,4,16,1,COMPLETED,2020-05-01 10:00:00,x,x,60,0
"""  # noqa: E501
OPENB = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,12000,16384,1,460,V100M16|V100M32,LS,Running,5,105,5
p1,8000,1024,0,0,,BE,Pending,0,10,
"""  # noqa: E501
LOG = [
    {
        "status": "Pass",
        "vc": "ee",
        "jobid": "j1",
        "attempts": [
            {
                "start_time": "2017-10-07 01:00:10",
                "end_time": "2017-10-07 01:01:10",
                "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}],
            },
            {
                "start_time": "2017-10-07 01:02:00",
                "end_time": "2017-10-07 01:02:30",
                "detail": [{"ip": "m2", "gpus": ["gpu0", "gpu1"]}],
            },
        ],
        "submitted_time": "2017-10-07 01:00:00",
        "user": "u",
    },
    {"status": "Killed", "vc": "ee", "jobid": "j2", "attempts": [], "submitted_time": "x", "user": "u"},
]


def read(folder: Path, text: str) -> JobTrace:
    path = folder / "jobs"
    path.write_text(text)
    return recognized_job_format(path).read(path)


def test_philly_tables_are_sorted_by_submission(tmp_path):
    trace = read(tmp_path, PHILLY)
    assert trace.submitted_at_s.tolist() == [0, 2932]
    assert trace.num_accelerators.tolist() == [8, 1]
    assert trace.queue == ("6214e9", "11cb48")


def test_philly_logs_add_up_the_attempts_of_jobs_that_started(tmp_path):
    trace = read(tmp_path, json.dumps(LOG))
    assert (trace.duration_s.tolist(), trace.num_accelerators.tolist()) == ([90], [2])
    assert trace.status == ("Pass",)


def test_acme_leaves_out_jobs_without_accelerators(tmp_path):
    trace = read(tmp_path, ACME)
    assert trace.submitted_at_s.tolist() == [0, 10]
    assert (trace.cores.tolist(), trace.user) == ([128, 256], ("u1", "u1"))
    assert trace.queue == ("Other", "MLLM")


def test_helios_has_virtual_clusters(tmp_path):
    trace = read(tmp_path, HELIOS)
    assert (trace.queue, trace.user, trace.duration_s.tolist()) == (("vc1",), ("ann",), [60])


def test_openb_has_shares_of_gpus_and_pods_without(tmp_path):
    trace = read(tmp_path, OPENB)
    assert trace.num_accelerators.tolist() == [0, 0.46]
    assert trace.models == ((), ("V100M16", "V100M32"))
    assert trace.duration_s.tolist() == [10, 100]
    assert trace.memory_bytes.tolist() == [2**30, 2**34]


def test_columns_can_be_named_and_files_packed(tmp_path):
    path = tmp_path / "jobs.csv.gz"
    path.write_bytes(gzip.compress(b"t,d,n,p\n1000,5,2,7\n2000,6,0.5,8\n"))
    options = {"submitted_column": "t", "duration_column": "d", "accelerators_column": "n"}
    trace = Csv.model_validate({**options, "priority_column": "p", "time_unit": "ms"}).read(path)
    assert trace.submitted_at_s.tolist() == [0, 1]
    assert (trace.num_accelerators.tolist(), trace.priority.tolist()) == ([2, 0.5], [7, 8])
    assert trace.estimated_s.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ("0,10,1\n1,-5,1\n", 3, "must not be negative"),
        ("0,10,-1\n", 2, "must not be negative"),
        ("0,10,1\n5,nan,1\n", 3, "must be finite"),
        ("0,10,1.5\n", 2, "whole number, or a fraction"),
        ("0,10,2000000\n", 2, "at most"),
        ("0,x,1\n", 2, "must be a number"),
        ("0,10\n", 2, "2 of 3 columns"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path, rows, line, message):
    path = tmp_path / "jobs.csv"
    path.write_text("submitted_at_s,duration_s,num_accelerators\n" + rows)
    with pytest.raises(ScenarioError, match=message) as caught:
        recognized_job_format(path).read(path)
    assert (caught.value.problems[0].line, caught.value.problems[0].file) == (line, str(path))


def test_a_pod_that_ends_before_it_begins_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="is before column 'creation_time'"):
        read(tmp_path, OPENB.replace("5,105,5", "5,4,5"))


def test_a_log_whose_job_ends_before_it_starts_is_refused(tmp_path):
    log = json.dumps(LOG).replace("2017-10-07 01:01:10", "2017-10-06 01:01:10")
    with pytest.raises(ScenarioError, match="'j1' ends before it starts"):
        read(tmp_path, log)


def test_a_broken_log_names_the_job(tmp_path):
    with pytest.raises(ScenarioError, match="'j1' cannot be read"):
        read(tmp_path, json.dumps(LOG).replace('"submitted_time": "2017-10-07 01:00:00"', '"other": 1'))


def test_a_file_without_accelerators_and_a_cut_archive_are_refused(tmp_path):
    with pytest.raises(ScenarioError, match="no job with accelerators"):
        read(tmp_path, "submitted_at_s,duration_s,num_accelerators\n0,1,0\n")
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(PHILLY.encode())[:-12])
    with pytest.raises(ScenarioError, match="cut off"):
        Philly().read(path)


def test_node_lists_are_read_and_bad_lines_named(tmp_path):
    path = tmp_path / "nodes.csv"
    path.write_text("sn,cpu_milli,memory_mib,gpu,model\na,64000,1024,2,P100\n")
    nodes = read_node_list(path)
    assert (nodes.num_accelerators.tolist(), nodes.memory_bytes.tolist()) == ([2], [2**30])
    path.write_text("sn,cpu_milli,memory_mib,gpu,model\na,64000,1024,-2,P100\n")
    with pytest.raises(ScenarioError, match="'gpu' must be a whole number from 0"):
        read_node_list(path)


SIZES = [{"accelerators": 1, "share": 3}, {"accelerators": 8, "share": 1}]


def test_poisson_jobs_have_the_rate_the_mean_and_the_mix_that_are_asked_for():
    options = {"rate": "1 /s", "duration_mean": "100 s", "duration_cv": 1.0, "sizes": SIZES}
    trace = Poisson.model_validate(options).generate(np.random.default_rng(1), 20_000.0)
    assert len(trace) == pytest.approx(20_000, rel=0.03)
    assert trace.duration_s.mean() == pytest.approx(100, rel=0.03)
    assert trace.duration_s.std() / trace.duration_s.mean() == pytest.approx(1.0, rel=0.1)
    assert (trace.num_accelerators == 8).mean() == pytest.approx(0.25, abs=0.02)


def test_more_jobs_leave_the_earlier_submissions_as_they_were():
    def generated(number: int) -> JobTrace:
        options = {"rate": "1 /s", "duration_mean": "1 min", "jobs": number}
        return Poisson.model_validate(options).generate(np.random.default_rng(3), float("inf"))

    few, many = generated(10), generated(50)
    assert np.array_equal(few.submitted_at_s, many.submitted_at_s[:10])
    assert np.array_equal(few.duration_s, many.duration_s[:10])


def test_nodes_without_any_accelerator_are_refused(tmp_path):
    path = tmp_path / "nodes.csv"
    path.write_text("cpu_milli,memory_mib,gpu,model\n96000,500000,0,\n")
    with pytest.raises(ScenarioError, match="has no node with accelerators"):
        read_node_list(path)


def test_a_rate_that_makes_more_jobs_than_a_run_can_hold_is_refused():
    arrivals = Poisson.model_validate({"rate": "1e12 /s", "duration_mean": "1 h"})
    with pytest.raises(ScenarioError, match=r"jobs\.arrivals\.rate: makes about 3\.6e\+15 jobs"):
        arrivals.generate(np.random.default_rng(1), 3600.0)
