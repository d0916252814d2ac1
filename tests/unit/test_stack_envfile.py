"""Environment files: read as Compose reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macvlan_ros.errors import StackFileError
from macvlan_ros.stack import envfile

OUTER = {"HOME": "/home/qtrobot", "SET": "outer"}


def parse(text: str) -> dict[str, str]:
    return envfile.parse(text, ".env", lookup=OUTER.get, unset=lambda name: None)  # noqa: ARG005


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("\n\n  \n# only a comment", {}),
        ("A=1", {"A": "1"}),
        ("A=1\n", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("  A=1", {"A": "1"}),
        ("A = 1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("A=one two  ", {"A": "one two"}),
        ("A: 1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("export\tA=1", {"A": "1"}),
        ("exported=1", {"exported": "1"}),
        ("a.b-c_1=x", {"a.b-c_1": "x"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=a=b", {"A": "a=b"}),
        # comments
        ("A=1 # one", {"A": "1"}),
        ("A=1\t# one", {"A": "1"}),
        ("A=pass#word", {"A": "pass#word"}),
        ("A=#", {"A": "#"}),
        ("A= # kept # not", {"A": "# kept"}),
        ('A="" # nothing', {"A": ""}),
        ("A='x' # one\nB=2", {"A": "x", "B": "2"}),
        ('A="x # y" # z', {"A": "x # y"}),
        ("# A=1\nB=2", {"B": "2"}),
        # quotes
        ("A='one two '", {"A": "one two "}),
        ('A="one two "', {"A": "one two "}),
        ("A='$SET ${SET}'", {"A": "$SET ${SET}"}),
        ("A='a\\nb'", {"A": "a\\nb"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="a\\nb\\tc"', {"A": "a\nb\tc"}),
        ('A="say \\"hi\\""', {"A": 'say "hi"'}),
        ('A="C:\\\\x"', {"A": "C:\\x"}),
        ('A="\\$SET"', {"A": "$SET"}),
        ('A="\\q"', {"A": "\\q"}),
        ("A='one\ntwo'\nB=2", {"A": "one\ntwo", "B": "2"}),
        ('A="one\ntwo"', {"A": "one\ntwo"}),
        ("A=it's", {"A": "it's"}),
        ("A=''", {"A": ""}),
        # variables
        ("A=$SET", {"A": "outer"}),
        ('A="${SET}/x"', {"A": "outer/x"}),
        ("B=1\nA=${B}2", {"B": "1", "A": "12"}),
        ("A=${NONE:-d}", {"A": "d"}),
        ("A=$NONE", {"A": ""}),
        ("A=a$$b", {"A": "a$b"}),
        # the caller's environment stands over the file's
        ("SET=inner\nA=$SET", {"SET": "inner", "A": "outer"}),
        # a bare name hands on what the caller has
        ("SET", {"SET": "outer"}),
        ("SET\nB=1", {"SET": "outer", "B": "1"}),
        ("NONE\nB=1", {"B": "1"}),
        ("\ufeffA=1".encode().decode("utf-8-sig"), {"A": "1"}),
        ("A=grün", {"A": "grün"}),
    ],
)
def test_a_file_sets(text: str, wanted: dict[str, str]) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nnot a name=2", ".env:2: is not NAME=VALUE"),
        ("=1", ".env:1: is not NAME=VALUE"),
        ("A='open", ".env:1: has a ' that is never closed"),
        ('B=1\nA="open\nstill', '.env:2: has a " that is never closed'),
        ("A='x'y", ".env:1: has something after the closing '"),
        ("A=1\nB=${SET", ".env:2: B has a '${' without its '}'"),
        ("A=${NONE:?give one}", ".env:1: A needs the variable NONE, which is not set: give one"),
        ("ä=1", ".env:1: is not NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(StackFileError) as caught:
        parse(text)
    assert said in str(caught.value)


@given(st.text(alphabet="AB=:\"'\\$ {}#\n\t-e", max_size=40))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except StackFileError:
        return
    assert all(found)


def test_a_raw_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "raw.env"
    path.write_text("# no\n\nA='$SET' # kept\nB=a=b\n")
    assert envfile.read_raw(path) == {"A": "'$SET' # kept", "B": "a=b"}
    path.write_text("A\n")
    with pytest.raises(StackFileError, match=r"raw\.env:1: is not NAME=VALUE"):
        envfile.read_raw(path)
