"""How the documentation is built (Sphinx): make docs."""

from typing import Any

from macvlan_ros import __version__

project = "macvlan-ros"
author = "the founders of macvlan-ros"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
]
root_doc = "index"
exclude_patterns = ["_build", "README.md"]
nitpick_ignore_regex = [("py:.*", r"(netaddr|collections|typing|pathlib)\..*")]

html_theme = "furo"
html_title = f"macvlan-ros {release}"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]

myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

#: What every command takes: said once, with the program itself.
_SHARED = (
    ".. option:: --store",
    ".. option:: --docker",
    ".. option:: --verbose",
    ".. option:: --json",
)


def setup(app: Any) -> None:
    """The commands' reference: examples as examples, and what all have in common once."""
    app.connect("sphinx-click-process-description", _show_examples)
    app.connect("sphinx-click-process-options", _leave_out_shared)
    app.connect("sphinx-click-process-arguments", _leave_out_all)


def _show_examples(_app: Any, _context: Any, lines: list[str]) -> None:
    """What click is told not to wrap comes as a block of lines."""
    shown: list[str] = []
    for line in lines:
        if line.startswith("|"):
            if not shown or not shown[-1].startswith("   "):
                shown += ["", "::", ""]
            shown.append("   " + line[2:])
        else:
            shown.append(line)
    lines[:] = shown


def _leave_out_shared(_app: Any, context: Any, lines: list[str]) -> None:
    if context.parent is None:
        return
    kept: list[str] = []
    taking = True
    for line in lines:
        if line.startswith(".. option::"):
            taking = not line.startswith(_SHARED)
        if taking:
            kept.append(line)
    lines[:] = kept


def _leave_out_all(_app: Any, _context: Any, lines: list[str]) -> None:
    """The usage line names the arguments, and the text says what they are."""
    del lines[:]
