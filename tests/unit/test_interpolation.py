"""Interpolation: what Compose makes of variables, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macvlan_ros.stack.interpolation import BadTemplate, Interpolation

VARIABLES = {"SET": "value", "EMPTY": "", "A": "a", "B": "b", "_x1": "under", "NAME": "SET"}


def text(template: str) -> tuple[str, list[str]]:
    unset: list[str] = []
    return Interpolation(VARIABLES.get, unset.append).text(template), unset


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a$SET/b", "avalue/b"),
        ("$A$B", "ab"),
        ("${A}${B}", "ab"),
        ("$_x1", "under"),
        ("$$", "$"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("a$$$$b", "a$$b"),
        ("$EMPTY", ""),
        ("$SET-x", "value-x"),
        ("$SET:-x", "value:-x"),
        # a default for what is unset or empty
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${SET:-d}", "value"),
        ("${NONE:-}", ""),
        # a default for what is unset alone
        ("${NONE-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${SET-d}", "value"),
        # another value for what is set
        ("${SET:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${NONE:+alt}", ""),
        ("${SET+alt}", "alt"),
        ("${EMPTY+alt}", "alt"),
        ("${NONE+alt}", ""),
        # what must be there and is
        ("${SET:?must}", "value"),
        ("${SET?must}", "value"),
        ("${EMPTY?must}", ""),
        # defaults that hold variables
        ("${NONE:-${A}}", "a"),
        ("${NONE:-$A/$B}", "a/b"),
        ("${NONE:-${GONE:-${B}}}", "b"),
        ("${NONE:-x${GONE-y}z}w", "xyzw"),
        ("${SET:+${A}${B}}", "ab"),
        ("${NONE:-http://10.0.0.1:11311}", "http://10.0.0.1:11311"),
        ("${NONE:-a:-b}", "a:-b"),
        ("${NONE:-a?b}", "a?b"),
        ("${NONE-?}", "?"),
        ("${NONE:-$$}", "$"),
        ("${NONE:-{}}", "{}"),
        ("${NONE:-a b}", "a b"),
        ("${NONE:-}${A}", "a"),
        # a dollar that starts no variable is one
        ("$", "$"),
        ("^[a-z]+$", "^[a-z]+$"),
        ("$5 $- $ SET", "$5 $- $ SET"),
        ("$(pwd)/${A}", "$(pwd)/a"),
        ("${NONE:-$(pwd)}$", "$(pwd)$"),
    ],
)
def test_a_template_becomes(template: str, wanted: str) -> None:
    assert text(template) == (wanted, [])


@pytest.mark.parametrize(
    ("template", "wanted", "unset"),
    [
        ("$NONE", "", ["NONE"]),
        ("a${NONE}b", "ab", ["NONE"]),
        ("$NONE$NONE", "", ["NONE", "NONE"]),
        ("${EMPTY:-$NONE}", "", ["NONE"]),
        # a default that is not needed is not looked at
        ("${SET:-$NONE}", "value", []),
        ("${SET:?$NONE}", "value", []),
        ("${NONE:+$GONE}", "", []),
    ],
)
def test_a_variable_without_a_value_is_empty_and_told(
    template: str, wanted: str, unset: list[str]
) -> None:
    assert text(template) == (wanted, unset)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${", "without its '}'"),
        ("${SET", "without its '}'"),
        ("${NONE:-${A}", "without its '}'"),
        ("${}", "no variable's name"),
        ("${ SET}", "no variable's name"),
        ("${1}", "no variable's name"),
        ("${-x}", "no variable's name"),
        ("${SET!}", "may stand there"),
        ("${SET:}", "may stand there"),
        ("${SET:=x}", "may stand there"),
        ("${SET x}", "may stand there"),
    ],
)
def test_bad_syntax_is_refused(template: str, said: str) -> None:
    with pytest.raises(BadTemplate, match="(?s)" + said.replace("$", r"\$")):
        text(template)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${NONE:?set it}", "needs the variable NONE, which is not set: set it;"),
        ("${NONE?set it}", "needs the variable NONE, which is not set: set it;"),
        ("${EMPTY:?}", "needs the variable EMPTY, which is not set;"),
        ("${NONE:?see $SET}", "not set: see value;"),
        ("${GONE:-${NONE:?inner}}", "needs the variable NONE"),
    ],
)
def test_a_required_variable_that_is_missing_is_refused_with_its_message(
    template: str, said: str
) -> None:
    with pytest.raises(BadTemplate) as caught:
        text(template)
    assert said in str(caught.value)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(BadTemplate, match="deep"):
        text("${NONE:-" * 500 + "}" * 500)


@given(st.text(alphabet="${}:-?+ABNSETO _x1", max_size=40))
def test_any_text_is_either_replaced_or_refused(template: str) -> None:
    try:
        done, _ = text(template)
    except BadTemplate:
        return
    assert isinstance(done, str)


@given(st.text())
def test_doubled_dollars_give_back_any_text(plain: str) -> None:
    assert text(plain.replace("$", "$$")) == (plain, [])
