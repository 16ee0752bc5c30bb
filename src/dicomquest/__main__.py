"""``python -m dicomquest`` is the command line."""

from __future__ import annotations

from dicomquest.cli import main

if __name__ == "__main__":  # the processes of `serve --workers` import this module too
    main(prog_name="dicomquest")
