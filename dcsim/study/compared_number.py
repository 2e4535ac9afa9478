"""A number of several results: what it is in each, and in each replication of those that are paired."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcsim.result import Estimate, Result, SummaryView
from dcsim.study.difference import Difference, difference
from dcsim.workloads.data_file import resolved

ANY = "*"  # a workload or job that is called otherwise in each result
_FILE_KEYS = ("trace", "path", "file")  # under which a traffic section names a file
_JOB_KEYS = ("trace", "arrivals", "spot")
_LENGTH_KEYS = ("duration", "warmup")

Values = tuple[Estimate | None, ...]  # by result


@dataclass(frozen=True, slots=True)
class Sample:
    """A number in each replication of a result, and what the random numbers came from.

    Two samples of the same origin are paired: their replications saw the same requests, one by one.
    """

    origin: str
    by_replication: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """One number of the summary in every result; no sample where a result has no partner or kept none."""

    values: Values
    samples: tuple[Sample | None, ...] = ()

    def difference(self, index: int, other: int) -> Difference | None:
        """The difference of a result from another; None where either lacks the number."""
        value, base = self.values[index], self.values[other]
        if value is None or base is None:
            return None
        one, partner = (self.samples[index], self.samples[other]) if self.samples else (None, None)
        if one is None or partner is None or one.origin != partner.origin:
            return difference(value, base)
        return difference(value, base, list(zip(one.by_replication, partner.by_replication, strict=True)))


@dataclass(frozen=True, slots=True)
class OtherModels:
    """A training job, as the comparison calls it, that has not the same model in all results."""

    job: str
    models: tuple[str, ...]  # by result


class ComparedResults:
    """Results with the serving workloads and training jobs that they have in common.

    Attributes
    ----------
    workloads, training_jobs
        What each is called in the comparison, and its name in each result. By name those that all results
        have; ``*`` where they have none in common and each has one.
    """

    def __init__(self, results: Sequence[Result], baseline: int) -> None:
        self._results = results
        self.workloads = _in_common(results, baseline, "serving")
        self.training_jobs = _in_common(results, baseline, "training")
        by_result = [[names[index] for names in self.workloads.values()] for index in range(len(results))]
        self._origins = [_origin(result, names) for result, names in zip(results, by_result, strict=True)]

    def trains_alike(self, job: str) -> bool:
        """Whether a training job has the same model in all results: else its tokens are not the same work."""
        return len(set(self._models(job))) == 1

    def other_models(self) -> Iterator[OtherModels]:
        """The training jobs whose models differ."""
        for job in self.training_jobs:
            if not self.trains_alike(job):
                yield OtherModels(job, self._models(job))

    @property
    def names_of_any(self) -> Mapping[str, tuple[str, ...]]:
        """What ``*`` stands for in each result, by section."""
        sections = {"serving": self.workloads, "training": self.training_jobs}
        return {key: tuple(found[ANY]) for key, found in sections.items() if ANY in found}

    def _models(self, job: str) -> tuple[str, ...]:
        jobs = zip(self._results, self.training_jobs[job], strict=True)
        return tuple(result.scenario.training[name].model.name for result, name in jobs)

    def are_paired(self, index: int, other: int) -> bool:
        """Whether two results have the same seed, several replications and the same requests in each."""
        return self._origins[index] is not None and self._origins[index] == self._origins[other]

    def number(self, path: str) -> ComparedNumber:
        """The number at a dotted path."""
        return self._number([path] * len(self._results))

    def serving_number(self, workload: str, metric: str) -> ComparedNumber:
        """A number of one of the workloads."""
        return self._number([f"serving.{name}.{metric}" for name in self.workloads[workload]])

    def training_number(self, job: str, metric: str) -> ComparedNumber:
        """A number of one of the training jobs."""
        return self._number([f"training.{name}.{metric}" for name in self.training_jobs[job]])

    def _number(self, paths: Sequence[str]) -> ComparedNumber:
        values = tuple(_value(result, path) for result, path in zip(self._results, paths, strict=True))
        samples = tuple(
            _sample(result, path, origin)
            for result, path, origin in zip(self._results, paths, self._origins, strict=True)
        )
        return ComparedNumber(values, samples)


def _in_common(results: Sequence[Result], baseline: int, section: str) -> Mapping[str, Sequence[str]]:
    names = [_names(result, section) for result in results]
    common = [name for name in names[baseline] if all(name in one for one in names)]
    if not common and all(len(one) == 1 for one in names):
        return {ANY: [one[0] for one in names]}
    return {name: [name] * len(results) for name in common}


def _names(result: Result, section: str) -> list[str]:
    found = result.view.get(section)
    return list(found) if isinstance(found, SummaryView) else []


def _origin(result: Result, names: Sequence[str]) -> str | None:
    """What a result's random events come from, as text; None for a result without samples.

    That is the seed, the number of replications, how long the scenario lasts, what it says of the traffic of
    the workloads compared (under their names, which their random streams have too), of failures with the
    nodes that fail, and of the jobs that are submitted.
    """
    scenario = result.scenario
    document = scenario.document
    sources = _random_sources(document, names, scenario.folder)
    if not sources or "by_replication" not in result.summary:
        return None
    lengths = [document.get(key) for key in _LENGTH_KEYS]
    return json.dumps([scenario.seed, scenario.replications, lengths, sources], sort_keys=True, default=str)


def _random_sources(document: Mapping[str, object], names: Sequence[str], folder: Path) -> dict[str, object]:
    """The parts of a scenario that random numbers are drawn for."""
    found: dict[str, object] = {}
    serving, jobs, cluster = (_mapping(document.get(key)) for key in ("serving", "jobs", "cluster"))
    if names:
        found["traffic"] = {
            name: _with_whole_paths(_mapping(serving[name])["traffic"], folder) for name in names
        }
    if document.get("reliability") is not None:
        found["reliability"] = [document["reliability"], cluster.get("num_nodes")]
    if jobs:
        found["jobs"] = _with_whole_paths({key: jobs.get(key) for key in _JOB_KEYS}, folder)
    return found


def _mapping(section: object) -> Mapping[str, object]:
    return section if isinstance(section, Mapping) else {}


def _with_whole_paths(section: object, folder: Path, key: str = "") -> object:
    """A traffic section with the files that it names as seen from anywhere."""
    if isinstance(section, Mapping):
        return {name: _with_whole_paths(inner, folder, name) for name, inner in section.items()}
    is_file = key in _FILE_KEYS and isinstance(section, str)
    return str(resolved(str(section), folder).resolve()) if is_file else section


def _sample(result: Result, path: str, origin: str | None) -> Sample | None:
    """The number at a path in each replication; None unless every one of several has it."""
    values = result.view.find(f"by_replication.{path}") if origin is not None else None
    if origin is None or not isinstance(values, list) or len(values) != result.scenario.replications:
        return None
    numbers = tuple(value for value in values if isinstance(value, int | float) and math.isfinite(value))
    return Sample(origin, numbers) if len(numbers) == len(values) > 1 else None


def _value(result: Result, path: str) -> Estimate | None:
    """The number of a result at a path; None where there is none, or none that JSON can say.

    A number that neither replications nor draws of the calibration move, such as a price, is known exactly,
    and gets a prediction interval of no length.
    """
    found = result.view.find(path)
    if not isinstance(found, Estimate) or not math.isfinite(found.value):
        return None
    half_width, prediction = found.half_width, found.prediction
    if half_width is not None and not math.isfinite(half_width):
        half_width = None
    if half_width == 0.0 and prediction is None and result.view.number("prediction.num_draws"):
        prediction = (found.value, found.value)
    return Estimate(found.value, half_width, prediction)
