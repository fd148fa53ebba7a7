"""Where the program begins: `icc-store`, and `python -m icc_store`, which is the same."""

import gc
from typing import NoReturn

_COLLECT_SELDOM = (100_000, 50, 1000)
"""When Python looks for rings of garbage. We make hardly any, and hundreds of thousands of entries that it would look
through at every 700th: 8 % of a first snapshot of 100,000 files, 5 % of an unchanged one and of verify."""


def start() -> NoReturn:
    """Run the program and exit."""
    gc.set_threshold(*_COLLECT_SELDOM)
    from icc_store.cli.main import main  # only now: what is imported makes no garbage either, 2 of 45 ms

    main()


if __name__ == "__main__":
    start()
