"""Values are what the standard library's frozen dataclasses are, but for what they cost."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, field, replace

import pytest

from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Door:
    """Where somebody lives."""

    street: str
    number: int = 1
    key: str = field(default="", repr=False)
    seen: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    street: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """One that has its own idea of being equal."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self.name.lower() == other.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


def test_equal_fields_make_equal_values_of_one_kind() -> None:
    assert Door("Elm", 2, seen=1) == Door("Elm", 2, seen=7)
    assert Door("Elm", 2) != Door("Elm", 3)
    assert Gate(street="Elm") == Gate(street="Elm", number=1)
    another: object = Gate(street="Elm")
    assert Door("Elm") != another
    assert len({Door("Elm"), Door("Elm", seen=3), Door("Oak")}) == 2


def test_a_value_shows_its_fields_but_what_is_secret() -> None:
    assert repr(Door("Elm", key="1234")) == "Door(street='Elm', number=1, seen=0)"


def test_the_library_knows_them_as_its_own() -> None:
    assert replace(Door("Elm"), number=5) == Door("Elm", 5)
    assert asdict(Gate(street="Elm")) == {"street": "Elm", "number": 1}
    assert copy.deepcopy(Door("Elm", 5)) == pickle.loads(pickle.dumps(Door("Elm", 5)))


def test_there_is_no_field_but_those_that_are_declared() -> None:
    with pytest.raises(AttributeError):
        Door("Elm").nummer = 3  # type: ignore[attr-defined]


def test_what_a_class_says_itself_stands() -> None:
    assert Named("Elm") == Named("ELM")
    assert len({Named("Elm"), Named("ELM")}) == 1
