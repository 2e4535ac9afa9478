"""The scenario being edited: YAML text that a form and an editor change in turn, and what it means."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

import dcsim
from dcsim import CompletionForecast, DcsimError, Forecast, Problem, Scenario, ScenarioError, TrainingForecast
from dcsim.app.form.fields import alone_key

Path_ = tuple[str, ...]

_MOST_UNDONE = 100
_NUM_BLOCK_LEVELS = 2  # of keys that stand on lines of their own
_MOST_ON_A_LINE = 3  # keys of a new part
_REPLAY = """
name: replay
cluster: {{node: dgx-h100, num_nodes: 1}}
serving:
  any: {{model: llama-3.1-8b, engine: vllm, num_replicas: 1, traffic: {{trace: {name}}}}}
"""
TEXT_NAME = "<text>"  # the file of problems that are of the text itself


@dataclass(frozen=True, slots=True)
class Checked:
    """What a text means: a scenario, or what is wrong with it; and whether such a system can be."""

    scenario: Scenario | None = None
    problems: tuple[Problem, ...] = ()
    infeasible: str = ""
    forecast: Forecast | None = None  # of what it serves
    training: Mapping[str, TrainingForecast] = field(default_factory=dict)
    completion: Mapping[str, CompletionForecast] = field(default_factory=dict)  # failures counted

    @property
    def can_run(self) -> bool:
        """Whether it can be simulated."""
        return self.scenario is not None and not self.infeasible


@dataclass(slots=True)
class Draft:
    """A scenario's text on its way; the files that it names stand in ``folder``.

    ``form_version`` counts changes that did not come from the form, ``editor_version`` those that did not
    come from the editor: each is drawn anew when the other one, or anything else, has changed the text.
    """

    text: str
    origin: str
    folder: Path
    form_version: int = 0
    editor_version: int = 0
    token: str = field(default_factory=lambda: secrets.token_hex(4))  # no two sessions' widgets are alike
    earlier: list[tuple[str, str]] = field(default_factory=list, repr=False)  # texts with their origins
    _checked: dict[str, Checked] = field(default_factory=dict, repr=False)

    def write(self, text: str) -> None:
        """The editor's new text."""
        if text != self.text:
            self._remember()
            self.text = text
            self.form_version += 1

    def undo(self) -> None:
        """Take the last change back, if there is one."""
        if self.earlier:
            self.text, self.origin = self.earlier.pop()
            self.form_version += 1
            self.editor_version += 1

    def _remember(self) -> None:
        self.earlier.append((self.text, self.origin))
        del self.earlier[:-_MOST_UNDONE]

    def put(self, path: Path_, value: object) -> None:
        """Set one field, or take it away where the value is None. Comments and order stay as they are."""
        document = _read(self.text)
        if document is None:
            return
        parent = document
        for number, key in enumerate(path[:-1]):
            inner = parent.get(key)
            if not isinstance(inner, CommentedMap):
                if value is None:
                    return
                inner = CommentedMap()
                if isinstance(parent.get(key), str):  # a name alone, that an option now varies
                    inner[alone_key(path[: number + 1])] = parent[key]
                if number >= _NUM_BLOCK_LEVELS:
                    inner.fa.set_flow_style()
                parent[key] = inner
            parent = inner
        if value is None:
            parent.pop(path[-1], None)
        else:
            parent[path[-1]] = _plain(value)
            if isinstance(value, Mapping) and len(value) > _MOST_ON_A_LINE and len(path) <= _NUM_BLOCK_LEVELS:
                parent[path[-1]].fa.set_block_style()
        self._remember()
        self.text = _written(document)
        self.editor_version += 1

    def checked(self) -> Checked:
        """What the text means now; computed once for each text."""
        if self.text not in self._checked:
            self._checked.clear()
            self._checked[self.text] = check(self.text, self.folder)
        return self._checked[self.text]

    def forget(self) -> None:
        """Check again next time: a file beside the scenario has changed."""
        self._checked.clear()

    def document(self) -> Mapping[str, object] | None:
        """The keys and values, bases included where it is a scenario; None where it is no YAML."""
        scenario = self.checked().scenario
        return scenario.document if scenario is not None else _read(self.text)


def check(text: str, folder: Path, overrides: Mapping[str, object] | None = None) -> Checked:
    """What a text means, with some fields set: loaded, estimated, or refused with every problem."""
    try:
        whole = text if "\n" in text else f"{text}\n"
        scenario = dcsim.load(whole, overrides=overrides, folder=folder, confined_to=folder)
    except ScenarioError as error:
        return Checked(problems=error.problems)
    try:
        training = dcsim.estimate_training(scenario)
        completion = dcsim.estimate_completion(scenario)
        has_form = bool(scenario.serving) and all(one.prefill is None for one in scenario.serving.values())
        forecast = dcsim.estimate(scenario) if has_form else None
        return Checked(scenario, forecast=forecast, training=training, completion=completion)
    except ScenarioError as error:  # such as a trace that cannot be read
        return Checked(problems=error.problems)
    except DcsimError as error:
        return Checked(scenario, infeasible=str(error))


def replay_problems(name: str, folder: Path) -> tuple[Problem, ...]:
    """Why a trace cannot be replayed as it is; nothing where it can."""
    return check(_REPLAY.format(name=json.dumps(name)), folder).problems


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.allow_duplicate_keys = False
    return yaml


def _read(text: str) -> CommentedMap | None:
    try:
        document = _yaml().load(text)
    except (YAMLError, ValueError):
        return None
    return document if isinstance(document, CommentedMap) else None


def _written(document: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def _plain(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    inner = CommentedMap({key: _plain(one) for key, one in value.items()})
    inner.fa.set_flow_style()
    return inner
