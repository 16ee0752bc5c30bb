"""``python -m fuzz.by_atheris TARGET [OPTION of libFuzzer]``: a target, guided by coverage.

It needs the package atheris. Time and memory are libFuzzer's: ``-timeout=1 -rss_limit_mb=1024``.
"""

from __future__ import annotations

import sys
from importlib import import_module

from fuzz.__main__ import FOLDER, TARGETS


def main() -> None:
    """Run a target until its invariant breaks, or as long as the options say."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris, or run python -m fuzz")
    target, *options = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"no target {target!r}: {', '.join(TARGETS)}")
    with atheris.instrument_imports(include=["dicomquest"]):
        check = import_module(f"fuzz.{target}").check
    new = FOLDER.parent / "build" / "fuzz" / target
    new.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], *options, str(new), str(FOLDER / "corpus" / target)]
    atheris.Setup(arguments, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
