"""How Sphinx builds the site: ``sphinx-build -W --keep-going docs build/site``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import seqkit

project = "seqkit"
author = "the seqkit developers"
version = release = seqkit.__version__
copyright = "the seqkit developers, BSD-3-Clause"  # the name is Sphinx's

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "commands",
    "outside",
    "own_members",
]
root_doc = "index"
exclude_patterns = ["_*", "examples/*"]
default_role = "literal"  # names in docstrings
smartquotes = False  # two dashes begin an option
templates_path = ["_templates"]

# Markdown
myst_enable_extensions = ["dollarmath", "fieldlist"]
myst_heading_anchors = 4

# the reference
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # docstrings say it in words
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# examples: what they print takes minutes and is in results.md, so they are shown and not run
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery_of_examples",
    "filename_pattern": r"^$",
    "ignore_pattern": r"(__init__|common)\.py",
    "plot_gallery": False,
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
}

# pages
html_theme = "pydata_sphinx_theme"
html_title = "seqkit"
html_static_path = ["_static"]
html_css_files = ["seqkit.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "seqkit"},
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"index": []}
mathjax3_config = {"tex": {"tags": "none"}}
copybutton_exclude = ".linenos, .gp, .go"
