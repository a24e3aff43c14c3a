"""``python -m sersk`` is the ``sersk`` command."""

from .cli import main

main()
