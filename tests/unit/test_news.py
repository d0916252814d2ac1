"""News: each thing is said once."""

from __future__ import annotations

from macvlan_ros.news import News


def test_a_thing_is_new_once() -> None:
    news = News()
    assert [news.is_new(what) for what in ("a", "b", "a", "b")] == [True, True, False, False]


def test_what_is_said_about_something_is_new_when_it_is_another_than_last_time() -> None:
    news = News()
    said = [news.is_new(what, about="eth0") for what in ("down", "down", "gone", "down")]
    assert said == [True, False, True, True]
    assert news.is_new("down", about="eth1")


def test_what_is_over_is_new_when_it_comes_again() -> None:
    news = News()
    assert not news.over("eth0")
    news.is_new("down", about="eth0")
    assert news.over("eth0") and not news.over("eth0")
    assert news.is_new("down", about="eth0")
