"""How the documentation is built (Sphinx): make docs."""

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
