"""What a draw of the calibration makes of training jobs, and by them of the cluster, without simulating."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dcsim.metrics.cluster_work import held_accelerator_s
from dcsim.metrics.figures import Figures
from dcsim.metrics.prediction import CLUSTER_SECTIONS, Path, Pilot, numbers
from dcsim.metrics.replication import Replication
from dcsim.metrics.training import STRETCHES
from dcsim.spec.training.length import num_trials

_STARTS = ("initialize", "warmup")  # what every start of a job takes
_DATA = ("staging", "reshuffle")  # what its data set takes, however long steps are
_ROUNDING = 1e-12  # what a sum of unmoved parts may differ by
_SAME_END_FRAC = 1e-6  # a window ends with a job if no more than this share of it follows


@dataclass(frozen=True, slots=True)
class TrainingDraw:
    """What a draw makes of a job's undisturbed step: factors on its time, and on the power above idle."""

    step_factor: float = 1.0
    rise_factor: float = 1.0


Draw = Mapping[str, TrainingDraw]  # by job
Numbers = Mapping[Path, float]
_WHOLE_COST: Path = ("cost", "total_usd")
_COSTS = ("cost_usd", "usd_per_million_tokens")  # what a job has of it, in all and by token


def with_training(
    measured: TrainedRun, pilots: tuple[Pilot, Sequence[Pilot | None]], draws: Sequence[Draw]
) -> tuple[Pilot, list[Pilot | None]]:
    """Pilots, the baseline first, with what draws make of training jobs and, by them, of the whole cluster.

    Where pilots already tell what their draws do to energy and cost of the cluster, what training does to
    them multiplies it: both have the same draws.
    """
    baseline, drawn_pilots = pilots
    known = measured.drawn({})
    drawn = [
        None if pilot is None else _joined(pilot, known, _billed(measured.drawn(draw), baseline, pilot))
        for pilot, draw in zip(drawn_pilots, draws, strict=True)
    ]
    return _joined(baseline, known, known), drawn


def _billed(drawn: Numbers, baseline: Pilot, pilot: Pilot) -> dict[Path, float]:
    """What a draw makes of the jobs, with what its pilot makes of the bill of which they pay a share."""
    found = dict(drawn)
    before, after = baseline.figures.get(_WHOLE_COST), pilot.figures.get(_WHOLE_COST)
    if isinstance(before, float) and isinstance(after, float) and before:
        paid = [path for path in drawn if path[0] == "training" and path[-1] in _COSTS]
        found |= {path: drawn[path] * after / before for path in paid}
    return found


def _joined(pilot: Pilot, known: Numbers, drawn: Numbers) -> Pilot:
    """A pilot whose figures move as the draw moves the known ones; those that it lacks are the draw's."""
    found = dict(pilot.figures)
    for path, value in drawn.items():
        base = found.get(path, known[path])
        if isinstance(base, int | float) and known[path]:
            factor = value / known[path]
            found[path] = base * factor if abs(factor - 1.0) > _ROUNDING else base
    return replace(pilot, figures=found)


class TrainedRun:
    """A replication of a cluster that trains, as it was measured: ``drawn`` says what a draw makes of it."""

    def __init__(self, first: Replication, figures: Figures) -> None:
        self._first = first
        self._known = numbers(figures, ("training",))
        self._sums = first.cluster_sums()
        cluster = first.cluster_figures(self._sums)
        self._cost_usd = numbers(cluster, CLUSTER_SECTIONS).get(_WHOLE_COST)
        self._bill = first.bill(cluster)
        names, window = first.work.training, first.joint
        self._rises_j = {name: first.work.trained_rise_j(name, window) for name in names}
        self._held_s = {name: held_accelerator_s(first.work.tables, name, window) for name in names}

    def drawn(self, draw: Draw) -> dict[Path, float]:
        """Figures of jobs and cluster under a draw; an empty draw leaves them as they are."""
        moves = {
            name: _moved(self._first, name, self._known, draw.get(name, TrainingDraw()))
            for name in self._rises_j
        }
        longer = _window_factor(self._first, moves.values())
        rise_j = sum(self._rises_j[name] * (one.rise - 1.0) for name, one in moves.items())
        duration_s = self._sums.duration_s * longer
        sums = replace(self._sums, duration_s=duration_s, rise_j=self._sums.rise_j + rise_j)
        bill = numbers(self._first.cluster_figures(sums), CLUSTER_SECTIONS)
        found = dict(bill)
        for name, move in moves.items():
            factors = move.factors() | self._shares(name, move) | self._costs(move, bill, longer)
            paths = {("training", name, key): factor for key, factor in factors.items()}
            found |= {path: self._known[path] * paths[path] for path in paths if path in self._known}
        return found

    def _shares(self, name: str, move: _Move) -> dict[str, float]:
        """Factors on energy and carbon of a job, by the accelerator time that it holds and what it draws."""
        held_s, rise_j = self._held_s[name], self._rises_j[name]
        before = self._bill.share(held_s, rise_j).figures()
        after = self._bill.share(held_s * move.held, rise_j * move.rise).figures()
        factors: dict[str, float] = {}
        for share, per_token in (("it_j", "it_j_per_token"), ("carbon_kg", "kg_per_million_tokens")):
            one, other = before[share], after[share]
            if isinstance(one, float) and isinstance(other, float) and one:
                factors |= {share: other / one, per_token: other / one / move.steps}
        return factors

    def _costs(self, move: _Move, bill: Numbers, longer: float) -> dict[str, float]:
        """Factors on what a job costs, by the accelerator time that it holds."""
        if not self._cost_usd:
            return {}
        factor = bill[_WHOLE_COST] / self._cost_usd * move.held / longer
        return dict(zip(_COSTS, (factor, factor / move.steps), strict=True))


@dataclass(frozen=True, slots=True)
class _Move:
    """How a draw moves a job: factors on its times, on its steps in the window, on its energy above idle."""

    undisturbed: float  # step
    step: float
    wall: float  # from submission to the end
    steps: float  # that count
    held: float  # accelerator time
    rise: float
    ended_at_s: float | None  # when it ended in the run; None if it did not
    started_at_s: float

    def factors(self) -> dict[str, float]:
        """The factors by figure of the job."""
        return {
            "step_time_s": self.step,
            "undisturbed_step_time_s": self.undisturbed,
            "mfu_frac": 1.0 / self.step,
            "hfu_frac": 1.0 / self.step,
            "num_steps": self.steps,
            "tokens_per_s": self.steps / self.wall,
            "time_per_million_tokens_s": self.wall / self.steps,
            "productive_frac": self.step * self.steps / self.wall,
            "effective_training_frac": self.undisturbed * self.steps / self.wall,
            "completion_s": self.wall,
        }


def _moved(first: Replication, name: str, known: Numbers, draw: TrainingDraw) -> _Move:
    """The move of a job by its figures.

    Time from submission to the end follows the step but for the queue and the first start: failures and
    checkpoints come by time, so that a longer run has more of them. Waiting for samples stays. A job that the
    end of the simulation cuts off does fewer steps in the same time.
    """

    def number(*keys: str) -> float:
        return known.get(("training", name, *keys), 0.0)

    job = first.scenario.training[name]
    wall_s, steps_s = number("wall_s"), number("productive_s")
    steps_s += sum(number("lost_s", cause) for cause in STRETCHES)
    waiting_frac = number("lost_s", "input") / steps_s if steps_s else 0.0
    step = draw.step_factor + waiting_frac * (1.0 - draw.step_factor)
    num_first = num_trials(job)
    num_starts = num_first + number("num_failures") + number("num_planned_stops")
    starts_s = sum(number("lost_s", cause) for cause in _STARTS) * num_first / num_starts
    fixed_s = number("lost_s", "queue") + starts_s + sum(number("lost_s", cause) for cause in _DATA)
    fixed_frac = min(fixed_s / wall_s, 1.0) if wall_s else 1.0
    wall = step + fixed_frac * (1.0 - step)
    completion_s = known.get(("training", name, "completion_s"))
    is_finished = completion_s is not None
    return _Move(
        undisturbed=draw.step_factor,
        step=step,
        wall=wall if is_finished else 1.0,
        steps=1.0 if is_finished else 1.0 / step,
        held=wall if is_finished else 1.0,
        rise=draw.rise_factor * (step if is_finished else 1.0),
        ended_at_s=None if completion_s is None else job.starts_at_s + completion_s,
        started_at_s=job.starts_at_s,
    )


def _window_factor(first: Replication, moves: Iterable[_Move]) -> float:
    """How much longer the window of the cluster is: it moves only if it ends with the last job's end."""
    window = first.joint
    ends_s = [
        (one.ended_at_s, one.started_at_s + one.wall * (one.ended_at_s - one.started_at_s))
        for one in moves
        if one.ended_at_s is not None
    ]
    if first.scenario.duration_s is not None or not ends_s or not window.duration_s:
        return 1.0
    last_s = max(before_s for before_s, _ in ends_s)
    if window.ended_at_s - last_s > _SAME_END_FRAC * window.duration_s:
        return 1.0
    return (max(after_s for _, after_s in ends_s) - window.started_at_s) / window.duration_s
