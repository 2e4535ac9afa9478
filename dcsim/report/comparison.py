"""A comparison on a terminal: in sentences which result wins what, then what differs, then the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from dcsim.report.comparison_table import comparison_tables, legend
from dcsim.report.numbers import PERCENT, digits_text
from dcsim.study.compared_number import ANY, OtherModels
from dcsim.study.comparison import Comparison
from dcsim.study.difference import Significance
from dcsim.study.finding import Finding, FindingKind
from dcsim.study.objective import Objective

if TYPE_CHECKING:
    from rich.console import Console

_MAX_DIFFERENCES = 6
_LONGEST_VALUE = 60  # characters
_WHOLE_PERCENT_FROM = 0.0995  # less is written with a decimal: 9.9 %, 10 %


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print a comparison."""
    from rich.text import Text

    for sentence in comparison_sentences(comparison):
        console.print(Text(sentence))
    console.print()
    for index, label in enumerate(comparison.labels):
        console.print(Text.assemble(f"#{index + 1} ", (label, "bold"), _what_differs(comparison, index)))
    for table in comparison_tables(comparison, console.width):
        console.print()
        console.print(table)
    console.print()
    console.print(Text(legend(comparison), style="dim"))


def comparison_sentences(comparison: Comparison) -> list[str]:
    """The findings in English, the first of them which result wins what.

    "b is 23 % cheaper per million output tokens; a has the lower p99 E2E (by 12 %)."
    """
    return list(_English(comparison).sentences(comparison.sentences()))


@dataclass(frozen=True, slots=True)
class _English:
    """The sentences for findings of one comparison."""

    comparison: Comparison

    def sentences(self, found: Sequence[Finding]) -> Iterator[str]:
        """All sentences, in the order that people ask for."""
        wins = [one for one in found if one.kind is FindingKind.WINS]
        if wins:
            yield "; ".join(self._clauses(wins)) + "."
        ties = [one for one in found if one.kind is FindingKind.TIE]
        for results, group in groupby(sorted(ties, key=_results), key=_results):
            nouns = _listed([self._noun(self._objective(one)) for one in group])
            are_all = len(results) == len(self.comparison.labels)
            rest = f"are within noise of each other in {nouns}" if are_all else f"share the best {nouns}"
            yield f"{self._named(results)} {rest}{'' if are_all else ', within noise of each other'}."
        yield from self._slo_sentences(found)
        for one in found:
            if text := self._single(one):
                yield text

    def _clauses(self, wins: Sequence[Finding]) -> Iterator[str]:
        """For each winner what it wins."""
        for winner in dict.fromkeys(one.winner for one in wins):
            if winner is not None:
                texts = [self._win(one) for one in wins if one.winner == winner]
                yield f"{self._named([winner])} {_listed(texts)}"

    def _win(self, finding: Finding) -> str:
        """What a winner is or has: the clause without its subject."""
        objective, percent, doubt = self._objective(finding), _percent(finding), self._doubt(finding)
        is_only_other = len(self.comparison.labels) == 2 or finding.over is None
        other = "" if finding.over is None or is_only_other else self._named([finding.over])
        if not _is_cost(objective.path) and not _is_energy(objective.path):
            by = f"{percent} below {other}" if other else f"by {percent}"
            about = ", ".join(one for one in (by, doubt) if one)
            return f"has the {'lower' if is_only_other else 'lowest'} {self._noun(objective)} ({about})"
        per = _per(objective.path)
        of_what = objective.name.partition(".")[2]
        per = f"{per} of {of_what}" if of_what else per
        amount = "fewer joules" if per else "less energy"
        verb, what = ("is", f"cheaper{per}") if _is_cost(objective.path) else ("draws", f"{amount}{per}")
        words = [verb, percent, what, f"than {other}" if other else "", f"({doubt})" if doubt else ""]
        return " ".join(word for word in words if word)

    def _doubt(self, finding: Finding) -> str:
        """Why a lead may be none; nothing for a clear one."""
        if finding.significance is Significance.UNKNOWN:
            return "its noise is not known"
        if finding.significance is not Significance.BEYOND_NOISE:
            return ""
        values = self._objective(finding).values
        sides = [values[index] for index in (finding.winner, finding.over) if index is not None]
        if any(side is None or side.prediction is None for side in sides):
            return "leaving out what is not known of the calibration"
        return "within what is not known of the calibration"

    def _slo_sentences(self, found: Sequence[Finding]) -> Iterator[str]:
        groups = {one.kind: one.results for one in found}
        met = groups.get(FindingKind.MEETS_SLO, ())
        missed = groups.get(FindingKind.MISSES_SLO, ())
        undecided = groups.get(FindingKind.UNDECIDED_SLO, ())
        num_results = len(self.comparison.labels)
        if num_results in (len(met), len(missed)):
            words = ("Both meet", "All meet") if met else ("Neither meets", "None meets")
            yield f"{words[num_results > 2]} the SLO."
        elif len(met) == 1 and len(missed) == num_results - 1:
            yield f"Only {self._named(met)} meets the SLO."
        else:
            for results, one, more in ((met, "meets", "meet"), (missed, "misses", "miss")):
                if results:
                    yield f"{self._named(results)} {one if len(results) == 1 else more} the SLO."
        if undecided:
            yield f"Whether {self._named(undecided)} can meet the SLO is undecided."

    def _single(self, finding: Finding) -> str:
        """The sentence for a finding that stands alone; none for those told elsewhere."""
        names, has = self._named(finding.results), "has" if len(finding.results) == 1 else "have"
        match finding.kind:
            case FindingKind.CHEAPEST_MEETING_SLO if finding.winner is not None:
                return f"The cheapest that meets the SLO is {self._named([finding.winner])}."
            case FindingKind.PARETO:
                nouns = _listed([self._noun(one) for one in self.comparison.objectives])
                return f"On the Pareto front of {nouns}: {names}."
            case FindingKind.LACKS:
                return f"{names} {has} no {self._noun(self._objective(finding))}."
            case FindingKind.OTHER_MODELS:
                return " ".join(map(self._other_models, self.comparison.other_models))
            case FindingKind.NO_STEADY_STATE:
                return f"{names} {has} no steady state, and so no latencies to compare."
        return ""

    def _other_models(self, one: OtherModels) -> str:
        """That figures per token of a training job are not of the same work."""
        jobs = self.comparison.names_of_any.get("training") if one.job == ANY else None
        names = _listed(list(dict.fromkeys(jobs or (one.job,))))
        models = _listed(list(dict.fromkeys(one.models)))
        verb = "trains" if len(set(jobs or (one.job,))) == 1 else "train"
        return f"{names} {verb} different models ({models}): figures per token are not ranked."

    def _objective(self, finding: Finding) -> Objective:
        return next(one for one in self.comparison.objectives if one.name == finding.objective)

    def _noun(self, objective: Objective) -> str:
        """What people call an objective: "p99 E2E", of a workload where there are several."""
        section, *keys = objective.path.split(".")
        kind, _, of_what = objective.name.partition(".")
        if kind == "latency":
            workload, latency, statistic = keys
            words = f"{statistic} {latency.removesuffix('_s').upper()}"
            num_latencies = sum(one.name.startswith("latency") for one in self.comparison.objectives)
            return words if num_latencies == 1 else f"{words} of {workload}"
        is_per_token = kind == "time" or _per(objective.path)
        per = " per token" if is_per_token else ""
        words = "mean job completion time" if section == "jobs" else f"{kind}{per}"
        return f"{words} of {of_what}" if of_what else words

    def _named(self, results: Sequence[int]) -> str:
        """Results as people list them, without the scenario's name if it is that of all."""
        labels = self.comparison.labels
        names = {label.partition(": ")[0] for label in labels}
        are_short = len(names) == 1 and all(": " in label for label in labels)
        shown = [label.partition(": ")[2] for label in labels] if are_short else labels
        return _listed([shown[index] for index in results])


def _is_cost(path: str) -> bool:
    return path.startswith("cost.") or ".usd_per_" in path


def _is_energy(path: str) -> bool:
    return path.startswith("energy.") or ".it_j_per_" in path


def _per(path: str) -> str:
    """What a cost or an energy is per, if anything."""
    if path.startswith("training."):
        return " per million trained tokens" if _is_cost(path) else " per trained token"
    if path.endswith("_output_tokens"):
        return " per million output tokens"
    return " per output token" if path.endswith("_output_token") else ""


def _results(finding: Finding) -> tuple[int, ...]:
    return finding.results


def _percent(finding: Finding) -> str:
    """The size of a lead, with no more digits than it deserves."""
    frac = abs(finding.relative_frac or 0.0)
    digits = digits_text(frac / PERCENT[0].factor, 0 if frac >= _WHOLE_PERCENT_FROM else 1)
    return f"{digits} {PERCENT[0].unit}"


def _listed(words: Sequence[str]) -> str:
    """Words as people list them.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _what_differs(comparison: Comparison, index: int) -> str:
    if index == comparison.baseline:
        return " (baseline)"
    found = comparison.differences_in_scenario[index]
    if not found:
        return " (the same scenario)"
    shown = [f"{one.path} {_short(one.value)}, not {_short(one.baseline_value)}" for one in found]
    left = [f"and {len(found) - _MAX_DIFFERENCES} more"] if len(found) > _MAX_DIFFERENCES else []
    return " has " + "; ".join([*shown[:_MAX_DIFFERENCES], *left])


def _short(value: object) -> str:
    text = "left out" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
