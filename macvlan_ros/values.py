"""Values: dataclasses that cost little to define and to make.

The standard library writes and compiles each method of each class anew, half a millisecond for a
frozen one whenever the program starts, and a launch needs ninety of them. How all of them compare,
hash and print stands here once. That nobody changes one is the type checker's affair, to whom this
is the standard library's `dataclass`; at run time it would make a value nine times as dear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses
    import functools

    def dataclass(*, frozen, slots, kw_only=False):
        """The same for `frozen=True, slots=True`, which is what values are."""
        assert frozen and slots

        def define(cls):
            for name, method in _METHODS.items():
                if cls.__dict__.get(name) is None:
                    setattr(cls, name, method)
            return dataclasses.dataclass(slots=True, eq=False, repr=False, kw_only=kw_only)(cls)

        return define

    @functools.cache
    def _names(kind):
        return tuple(one.name for one in dataclasses.fields(kind) if one.compare)

    def _compared(value):
        return tuple([getattr(value, name) for name in _names(type(value))])

    def _is_equal(self, other):
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_compared(self))

    def _show(self):
        shown = (one.name for one in dataclasses.fields(self) if one.repr)
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    _METHODS = {"__eq__": _is_equal, "__hash__": _hash, "__repr__": _show}
