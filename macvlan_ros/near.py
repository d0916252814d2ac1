"""Nearly right: which name was probably meant by one that is not there."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """ " (did you mean 'x'?)" for the nearest of the words, or nothing."""
    import difflib  # for errors alone

    near = difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
