"""What differs between scenario documents, and labels of results that say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from dcsim.strict_yaml import YamlPath, dotted

_SAYS_NOTHING = ("name", "question")  # what a scenario is called changes nothing in it
_MEANT_BY_NAME = ("base", "policy", "path")  # ``node: x`` is short for ``node: {base: x}``
_TELLING_SECTIONS = ("cluster", "serving", "training", "jobs", "reliability")
_MAX_IN_LABEL = 3


@dataclass(frozen=True, slots=True)
class ScenarioDifference:
    """One dotted path at which a scenario differs from the baseline's; None where nothing stands there."""

    path: str
    value: object
    baseline_value: object


def scenario_differences(
    document: Mapping[str, object], baseline: Mapping[str, object]
) -> tuple[ScenarioDifference, ...]:
    """The paths at which two documents differ, but for name and question; lists are compared as a whole."""
    return tuple(
        ScenarioDifference(dotted(path), value, base)
        for path, value, base in _differing(document, baseline, ())
        if path[0] not in _SAYS_NOTHING
    )


def _differing(value: object, base: object, path: YamlPath) -> Iterator[tuple[YamlPath, object, object]]:
    if isinstance(value, Mapping) and isinstance(base, Mapping):
        for key in dict.fromkeys([*base, *value]):
            yield from _differing(value.get(key), base.get(key), (*path, key))
    elif value != base or isinstance(value, bool) is not isinstance(base, bool):
        yield path, value, base


def unique_labels(names: Sequence[str], documents: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """A label for each scenario: its name, and where others have the same, what differs between them.

    Where nothing does, or nothing short tells them apart, the number: "chat", "chat #2".
    """
    labels = list(names)
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        alike = [index for index, other in enumerate(names) if other == name]
        for index, text in zip(alike, _distinctions([documents[index] for index in alike]), strict=True):
            labels[index] = f"{name}: {text}" if text else name
    taken: list[str] = []
    for number, label in enumerate(labels, start=1):
        free = (f"{label} #{one}" for one in count(number))
        taken.append(label if label not in taken else next(one for one in free if one not in taken))
    return tuple(taken)


def _distinctions(documents: Sequence[Mapping[str, object]]) -> list[str]:
    """A few words for each document that no different one has, such as "node dgx-b200"; else none.

    They give the value of one path or, if no path tells all apart, what is not as in the first document.
    """
    leaves = [dict(_leaves(document, ())) for document in documents]
    every = dict.fromkeys(path for one in leaves for path in one)
    paths = [path for path in every if len({one.get(path) for one in leaves}) > 1]
    paths.sort(key=lambda path: path[0] not in _TELLING_SECTIONS)
    choices = [[_words(one, [path]) for one in leaves] for path in paths]
    changed = [[path for path in paths if one.get(path) != leaves[0].get(path)] for one in leaves]
    choices.append([_words(one, some[:_MAX_IN_LABEL]) for one, some in zip(leaves, changed, strict=True)])
    num_different = len({tuple(sorted(one.items())) for one in leaves})
    return next((words for words in choices if len(set(words)) == num_different), [""] * len(documents))


def _words(leaves: Mapping[YamlPath, str], paths: Sequence[YamlPath]) -> str:
    return ", ".join(f"{path[-1]} {leaves[path]}" for path in paths if path in leaves)


def _leaves(value: object, path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    """The plain values of a document by path, without what says nothing."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            if path or key not in _SAYS_NOTHING:
                yield from _leaves(child, path if path and key in _MEANT_BY_NAME else (*path, key))
    elif isinstance(value, str | int | float):
        yield path, str(value)
