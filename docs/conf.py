"""Sphinx configuration."""

import sys
import warnings
from pathlib import Path

import sersk

sys.path.insert(0, str(Path(__file__).parent))  # for gallery_order

project = "sersk"
author = "the sersk developers"
copyright = "2026, the sersk developers"
version = release = sersk.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
nitpicky = False

html_theme = "pydata_sphinx_theme"
html_title = f"sersk {version}"
html_static_path = ["_static"]
html_css_files = ["sersk.css"]
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()  # the tests validate

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "gallery_order.place",
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "show_memory": False,
    "plot_gallery": "True",
    "doc_module": ("sersk",),
}

# An example that warns shows it on its page; what other libraries say to each other is no news.
warnings.filterwarnings("ignore", category=DeprecationWarning)
