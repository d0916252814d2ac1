"""Reading a YAML file into nodes: what is malformed, doubled or too deep ends here."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.errors import StackFileError
from macvlan_ros.stack.nodes import Node, Scalar

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node as YamlNode

#: A stack is a page or two; what is larger is another kind of file, or a device.
MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
#: Aliases of aliases grow without bound ("billion laughs"); no stack has this many values.
MAX_VALUES = 20_000

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset((_TAG + "str", _TAG + "timestamp", _TAG + "value", _TAG + "merge", "!"))
_OCTAL = re.compile(r"[-+]?0[0-7]+")


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises StackFileError, which names the file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise StackFileError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise StackFileError(f"{path}: is a folder, not a file; name the file in it") from None
    except PermissionError:
        raise StackFileError(
            f"{path}: this user may not read it; let it with: chmod a+r {path}"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StackFileError(f"{path}: cannot be read ({reason}); name another file") from None
    if len(data) > MAX_BYTES:
        raise StackFileError(
            f"{path}: is larger than {MAX_BYTES >> 20} MiB, so it is no stack; name another"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StackFileError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None


def is_there(path: Path) -> bool:
    """Whether something stands at the path. What may not be looked at counts."""
    try:
        return path.exists()
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG


def read(path: Path, base: str = "") -> Node:
    """The file's one mapping, whose relative paths start at `base` ("": the project's folder).
    Raises StackFileError with file and line."""
    return parse(read_text(path), str(path), base)


def parse(text: str, file: str, base: str = "") -> Node:
    """The one mapping of a YAML text that came from `file`. Raises StackFileError."""
    # here and not above: whoever only lists reservations need not pay for a YAML parser
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        top = YAML(typ="safe", pure=True).compose(text)
    except RecursionError:
        raise StackFileError(f"{file}: is nested more than {MAX_DEPTH} deep") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        problem = error.problem or error.context or "cannot be parsed"
        raise StackFileError(f"{file}:{line}: is not valid YAML: {problem}") from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise StackFileError(f"{file}:1: is not valid YAML: {problem}") from None
    if top is None:
        raise StackFileError(f"{file}:1: is empty; a stack has at least a 'services' mapping")
    node = _Converter(file, base).convert(top, ())
    if not isinstance(node.value, dict):
        raise StackFileError(f"{file}:{node.line}: must be a mapping, is {node.kind}")
    return node


class _Converter:
    """Turns one file's YAML nodes into ours."""

    def __init__(self, file: str, base: str) -> None:
        self.file = file
        self.base = base
        self.count = 0
        self.open: set[int] = set()  # the nodes that we stand in: an alias to one is a circle

    def convert(self, source: YamlNode, path: tuple[str, ...]) -> Node:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        here = Node(None, self.file, source.start_mark.line + 1, path, tag=_compose_tag(source))
        if self.count > MAX_VALUES:
            raise here.error(f"its aliases unfold into more than {MAX_VALUES} values")
        if len(path) > MAX_DEPTH:
            raise StackFileError(f"{self.file}:{here.line}: is nested more than {MAX_DEPTH} deep")
        if id(source) in self.open:
            raise here.error("an alias stands inside the very anchor that it names")
        self.open.add(id(source))
        value: Scalar | list[Node] | dict[str, Node]
        if isinstance(source, MappingNode):
            self._expect_tag(source, here, "map")
            value, text = self._mapping(source, path), ""
        elif isinstance(source, SequenceNode):
            self._expect_tag(source, here, "seq")
            places = ((item, (*path, f"[{place}]")) for place, item in enumerate(source.value))
            value, text = [self.convert(item, place) for item, place in places], ""
        else:
            value, text = _scalar(source, here), str(source.value)
        self.open.discard(id(source))
        return Node(value, here.file, here.line, path, text, here.tag, self.base)

    def _expect_tag(self, source: YamlNode, here: Node, wanted: str) -> None:
        if not here.tag and str(source.tag) not in (_TAG + wanted, "!"):
            raise here.error(f"has the tag {source.tag}, which has no meaning here; remove it")

    def _mapping(self, source: YamlNode, path: tuple[str, ...]) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in source.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, path)
            if key == "<<" and key_node.style is None:
                for name, node in self._merged(value_node, path).items():
                    merged.setdefault(name, node)
                continue
            here = Node(None, self.file, line, (*path, key))
            if key in entries:
                raise here.error(f"stands twice (first in line {entries[key].line})")
            entries[key] = self.convert(value_node, here.path)
        return {**{key: node for key, node in merged.items() if key not in entries}, **entries}

    def _key(self, key_node: YamlNode, path: tuple[str, ...]) -> str:
        from ruamel.yaml.nodes import ScalarNode

        here = Node(None, self.file, key_node.start_mark.line + 1, path)
        if not isinstance(key_node, ScalarNode):
            raise here.error("has a mapping or a list as a key; a key must be a text")
        if str(key_node.tag) == _TAG + "null":
            raise here.error("has an empty key; write one before the ':'")
        return str(key_node.value)

    def _merged(self, source: YamlNode, path: tuple[str, ...]) -> dict[str, Node]:
        """The entries that a merge key brings; of several mappings the first wins (YAML 1.1)."""
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        found: dict[str, Node] = {}
        sources = source.value if isinstance(source, SequenceNode) else [source]
        for one in sources:
            if not isinstance(one, MappingNode):
                here = Node(None, self.file, one.start_mark.line + 1, (*path, "<<"))
                raise here.error("must name mappings (<<: *anchor)")
            for key, node in self.convert(one, path).mapping().items():
                found.setdefault(key, node)
        return found


def _compose_tag(source: YamlNode) -> str:
    tag = str(source.tag)
    return tag if tag in ("!reset", "!override") else ""


def _scalar(source: YamlNode, here: Node) -> Scalar:
    """A scalar's value by its tag, which ruamel found by YAML 1.2: `yes` and `22:22` are texts."""
    tag, text = str(source.tag), str(source.value)
    if here.tag:
        return text or None
    if tag in _TEXT_TAGS:
        return text
    if tag == _TAG + "null":
        return None
    if tag == _TAG + "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        if tag == _TAG + "int":
            return _integer(text)
        if tag == _TAG + "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    raise here.error(f"has the tag {tag.replace(_TAG, '!!')}, which has no meaning here; remove it")


def _integer(text: str) -> int:
    """As Compose's YAML reader has it: a leading 0 makes a number octal, like 0o does."""
    digits = text.replace("_", "")
    if _OCTAL.fullmatch(digits):
        return int(digits, 8)
    return int(digits, 0)
