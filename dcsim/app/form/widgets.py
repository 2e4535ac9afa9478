"""Widgets for the fields of a form: each shows what stands in the YAML and writes there what is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import streamlit as st

import dcsim
from dcsim import given_text, scales_of
from dcsim.app.catalogue_text import entry_text, source_text
from dcsim.app.draft import Draft
from dcsim.app.form.fields import Field, Kind, alone_key
from dcsim.app.form.first_values import first_value, own_values
from dcsim.app.form.named import named_parts
from dcsim.app.show import escaped
from dcsim.app.words import Words

_SAFE_INTEGER = 2**53 - 1  # what a browser can count to
_LARGE = 1e6  # from here on, numbers have an exponent
_OWN = "\0own"  # the choice of own values instead of a name
_FILE_KINDS = {"models": (".yaml", ".yml", ".json")}


@dataclass(frozen=True, slots=True)
class Form:
    """A form over a draft: where its values come from and go to."""

    draft: Draft
    words: Words
    files: tuple[str, ...]  # names that may be chosen
    stores: tuple[str, ...] = ()  # the cluster's, by name
    inherited: Mapping[str, str] = field(default_factory=dict)  # by path: what holds where it is left out

    def show(self, fields: Sequence[Field], path: tuple[str, ...], values: object, columns: int = 2) -> None:
        """The fields of a section in their order; small ones side by side."""
        found = values if isinstance(values, Mapping) else {}
        for is_small, group in groupby(fields, key=_is_small):
            run = list(group)
            for start in range(0, len(run), columns if is_small else 1):
                if not is_small:
                    self._large(run[start], (*path, run[start].key), found.get(run[start].key))
                    continue
                cells = st.columns(columns)
                for cell, one in zip(cells, run[start : start + columns], strict=False):
                    with cell:
                        self._small(one, (*path, one.key), found.get(one.key))

    def _large(self, one: Field, path: tuple[str, ...], value: object) -> None:
        match one.kind:
            case Kind.SECTION:
                st.markdown(f"**{escaped(self.label(one))}**", help=self.help(one))
                self.show(one.fields, path, {alone_key(path): value} if isinstance(value, str) else value)
            case Kind.POLICY:
                self._policy(one, path, value)
            case Kind.CHOICE_OR_FIELDS:
                self._choice_or_fields(one, path, value)
            case Kind.CHOICE:
                self._choice(one, path, value)
            case Kind.NAMED:
                named_parts(self, one, path, value)
            case _:
                self._small(one, path, value)

    def _small(self, one: Field, path: tuple[str, ...], value: object) -> None:
        match one.kind:
            case Kind.INTEGER:
                self._integer(one, path, value)
            case Kind.BOOLEAN:
                self._boolean(one, path, value)
            case Kind.CHOICE:
                self._choice(one, path, value)
            case Kind.FILE:
                self._file(one, path, value)
            case Kind.STORE:
                self._store(one, path, value)
            case Kind.OTHER:
                self._elsewhere(one, path, value)
            case _:
                self._text(one, path, value)

    def _text(self, one: Field, path: tuple[str, ...], value: object) -> None:
        if isinstance(value, Mapping | list):
            self._elsewhere(one, path, value)
            return
        st.text_input(
            self.label(one),
            _as_text(value),
            key=self.key(path),
            help=self.help(one),
            placeholder=self._placeholder(one, path),
            on_change=self._put_text,
            args=(path, self.key(path), one),
        )

    def _put_text(self, path: tuple[str, ...], key: str, one: Field) -> None:
        if not self._is_current(path, key):
            return
        text = str(st.session_state[key]).strip()
        value: object = text or None
        if one.kind is Kind.NUMBER:
            value = _number(text)
        elif one.kind is Kind.QUANTITY and _is_number(text):
            value = float(text) if "." in text else int(text)
        self.draft.put(path, value)

    def _integer(self, one: Field, path: tuple[str, ...], value: object) -> None:
        is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _SAFE_INTEGER
        if value is not None and not is_whole:
            self._text(one, path, value)  # as it stands, for the check to say what is wrong
            return
        st.number_input(  # without limits: the check says what is wrong, in words and with a remedy
            self.label(one),
            value=value if isinstance(value, int) else None,
            step=1,
            key=self.key(path),
            help=self.help(one),
            placeholder=self._placeholder(one, path),
            on_change=self._put,
            args=(path, self.key(path)),
        )

    def _boolean(self, one: Field, path: tuple[str, ...], value: object) -> None:
        options = [True, False]
        names = {True: self.words("form.yes"), False: self.words("form.no")}
        st.selectbox(
            self.label(one),
            options,
            options.index(value) if isinstance(value, bool) else None,
            format_func=lambda choice: names[choice],
            key=self.key(path),
            help=self.help(one),
            placeholder=self.words("form.left_out"),
            on_change=self._put,
            args=(path, self.key(path)),
        )

    def _choice(self, one: Field, path: tuple[str, ...], value: object) -> None:
        if isinstance(value, Mapping | list):
            self._elsewhere(one, path, value)
            return
        options = [*one.choices, *self._files_for(one)]
        if isinstance(value, str) and value not in options:
            options.append(value)
        shown = value if value is not None else one.default
        self._select(one, path, options, shown)
        if one.catalogue and isinstance(value, str):
            source = source_text(one.catalogue, value)
            if source:
                st.caption(self.words("form.source", source=_shortened(source)), help=source)

    def _select(self, one: Field, path: tuple[str, ...], options: list[str], value: object) -> None:
        catalogue = one.catalogue
        st.selectbox(
            self.label(one),
            options,
            options.index(value) if value in options else None,
            format_func=lambda name: entry_text(catalogue, name) if catalogue else str(name),
            key=self.key(path),
            help=self.help(one),
            placeholder=self.words("form.left_out"),
            on_change=self._put,
            args=(path, self.key(path)),
        )

    def _policy(self, one: Field, path: tuple[str, ...], value: object) -> None:
        """A policy's name, and its options below."""
        options = dict(value) if isinstance(value, Mapping) else {}
        name = options.get("policy") if isinstance(value, Mapping) else value
        otherwise = self.inherited.get(f"{'.'.join(path)}.policy", one.choices[0] if options else one.default)
        chosen = name if name is not None else otherwise
        names = list(one.choices)
        st.selectbox(
            self.label(one),
            names,
            names.index(chosen) if chosen in names else None,
            key=self.key(path),
            help=self.help(one),
            placeholder=self.words("form.left_out"),
            on_change=self._put_policy,
            args=(path, self.key(path), one),
        )
        if isinstance(chosen, str) and one.options.get(chosen):
            with st.container(border=True):
                self.show(one.options[chosen], path, options)

    def _put_policy(self, path: tuple[str, ...], key: str, one: Field) -> None:
        """Another policy, with those of its options that must be given at an example."""
        if not self._is_current(path, key):
            return
        name = st.session_state[key]
        needed = {
            option.key: first_value(option) for option in one.options.get(name, ()) if option.is_required
        }
        self.draft.put(path, {"policy": name, **needed} if needed else name)

    def _choice_or_fields(self, one: Field, path: tuple[str, ...], value: object) -> None:
        """A name that stands for all the fields, or own values for these."""
        is_own = isinstance(value, Mapping)
        options = [*one.choices, _OWN]
        chosen = _OWN if is_own else value
        st.selectbox(
            self.label(one),
            options,
            options.index(chosen) if chosen in options else None,
            format_func=lambda name: self._name(one, name),
            key=self.key(path),
            help=self.help(one),
            placeholder=self.words("form.left_out"),
            on_change=self._put_or_own,
            args=(path, self.key(path), one),
        )
        if isinstance(value, Mapping):
            with st.container(border=True):
                self._over(one, path, value.get("base")).show(one.fields, path, value)

    def _over(self, one: Field, path: tuple[str, ...], base: object) -> Form:
        """The form of fields that lie over those of an entry: shown as what holds where they are left out."""
        if not isinstance(base, str) or not one.catalogue or base not in one.choices:
            return self
        st.caption(self.words("form.over", name=entry_text(one.catalogue, base)))
        given = {found.path: found.value_text for found in dcsim.provenance(one.catalogue, base)}
        return replace(self, inherited={".".join((*path, key)): text for key, text in given.items()})

    def _put_or_own(self, path: tuple[str, ...], key: str, one: Field) -> None:
        if not self._is_current(path, key):
            return
        name = st.session_state[key]
        self.draft.put(path, name if name != _OWN else own_values(one))
        self.draft.form_version += 1

    def _name(self, one: Field, name: str) -> str:
        if name == _OWN:
            return self.words.maybe(f"form.own_{one.key}", self.words("form.own"))
        return entry_text(one.catalogue, name) if one.catalogue else name

    def _file(self, one: Field, path: tuple[str, ...], value: object) -> None:
        options = [name for name in self.files if Path(name).suffix in (".csv", ".parquet")]
        if isinstance(value, str) and value not in options:
            options.append(value)
        self._select(one, path, options, value)
        if not options:
            st.caption(self.words("form.no_files"))

    def _store(self, one: Field, path: tuple[str, ...], value: object) -> None:
        """One of the stores that the cluster has by name."""
        options = list(self.stores)
        if isinstance(value, str) and value not in options:
            options.append(value)
        self._select(one, path, options, value)

    def _elsewhere(self, one: Field, path: tuple[str, ...], value: object) -> None:
        """What no widget fits: it is shown, and changed in the YAML."""
        if value is not None or one.is_required:
            text = "" if value is None else str(value)
            label = f"{self.label(one)} ({self.words('form.in_yaml')})"
            st.text_input(label, text, disabled=True, key=self.key(path), help=one.help)

    def _put(self, path: tuple[str, ...], key: str) -> None:
        if self._is_current(path, key):
            self.draft.put(path, st.session_state[key])

    def _is_current(self, path: tuple[str, ...], key: str) -> bool:
        """Whether a widget was drawn for the text as it is.

        The browser goes on sending the values of widgets that are gone, for a moment; they count for nothing.
        """
        return key == self.key(path) and key in st.session_state

    def key(self, path: tuple[str, ...]) -> str:
        """The key of a field's widget, another one whenever the text changes elsewhere."""
        return f"form:{self.draft.token}:{self.draft.form_version}:{'.'.join(path)}"

    def label(self, one: Field) -> str:
        """What a field is called, with a star where it has to be given."""
        label = self._words_of("fields", one, one.key.replace("_", " ").capitalize())
        return f"{label} *" if one.is_required else label

    def help(self, one: Field) -> str:
        """What a field means, with its key in the YAML."""
        about = self._words_of("help", one, one.help)
        return f"`{one.key}`: {about}" if about else f"`{one.key}`"

    def _words_of(self, kind: str, one: Field, otherwise: str) -> str:
        """What is said of a field: by its key in its part of the scenario, else by its key alone."""
        return self.words.maybe(
            f"{kind}.{one.section}.{one.key}", self.words.maybe(f"{kind}.{one.key}", otherwise)
        )

    def _placeholder(self, one: Field, path: tuple[str, ...]) -> str:
        given = self.inherited.get(".".join(path))
        if given is not None:
            return self.words("form.of_the_base", value=given)
        if one.default is not None:
            return self.words("form.default", value=_default_text(one))
        return one.example.split(",")[0] if one.is_required and one.example else self.words("form.left_out")

    def _files_for(self, one: Field) -> list[str]:
        if not one.is_file_allowed:
            return []
        suffixes = _FILE_KINDS.get(one.catalogue, (".yaml", ".yml"))
        return [name for name in self.files if Path(name).suffix in suffixes]


def _is_small(one: Field) -> bool:
    """Whether a field takes half the width."""
    if one.kind is Kind.CHOICE:
        return not one.catalogue
    return one.kind not in (Kind.SECTION, Kind.POLICY, Kind.CHOICE_OR_FIELDS, Kind.NAMED)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.replace(".", "", 1).lstrip("-").isdigit()


def _number(text: str) -> object:
    """A number, exponents included; the text as it stands where it is none, for the check to say so.

    >>> _number("8"), _number("1.5e12"), _number("many"), _number("")
    (8, 1500000000000.0, 'many', None)
    """
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text or None


def _as_text(value: object) -> str:
    """What stands in the YAML, large numbers with an exponent.

    >>> _as_text(15e12), _as_text(0.5), _as_text(None)
    ('1.5e+13', '0.5', '')
    """
    if isinstance(value, float) and abs(value) >= _LARGE and float(f"{value:g}") == value:
        return f"{value:g}"
    return "" if value is None else str(value)


def _default_text(one: Field) -> object:
    """The default of a field, with its unit where it is a time or a share."""
    if one.kind is not Kind.QUANTITY or not isinstance(one.default, int | float):
        return one.default
    unit = one.example.split(",")[0].split(" ")[-1]
    scales = {"ms": "x_s", "%": "x_frac"}
    return given_text(one.default, scales_of(scales[unit])) if unit in scales else one.default


def _shortened(text: str, most: int = 90) -> str:
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"
