"""``python -m dicomquest`` is the command line."""

from __future__ import annotations

from dicomquest.cli import main

main(prog_name="dicomquest")
