"""Whether optimizing pays, and doing it then: what gc runs at its end.

It pays when at least half of the content was never looked at, and a trial on some of it says that a fifth of the
whole would be saved. It is tried once a week at most, its time is bounded, and what does not fit waits for the next
time. A repository of a few files is left alone: there is nothing to gain that anybody would notice.
"""

from __future__ import annotations

from dataclasses import replace

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.limits import MIB
from icc_store.model.optimized import read_optimized
from icc_store.model.repository import Repository
from icc_store.model.upkeep import remember_tried, tried_ns
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.optimize import OptimizeOptions, OptimizeResult, optimize, unlooked_bytes

_CHORE = "optimize"
_WEEK_NS = 7 * 24 * 3_600_000_000_000
_SMALLEST = 4 * MIB
_UNLOOKED_SHARE = 0.5
_WORTH = 0.2
_TRIAL_SECONDS = 3.0
_BY_DEFAULT = OptimizeOptions(most_seconds=60.0)


def optimize_if_it_pays(
    repository: Repository,
    *,
    options: OptimizeOptions = _BY_DEFAULT,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> OptimizeResult | None:
    """Optimize for a bounded time; None when it is not due or would not pay."""
    now = clock.now_ns()
    repository.objects.forget()
    state = read_optimized(repository.objects.transaction)
    if not 0 <= tried_ns(repository, _CHORE) <= now - _WEEK_NS:
        return None
    sizes = sum(size for _, size in repository.objects.transaction.block_sizes())
    if sizes < _SMALLEST or unlooked_bytes(repository, state) < _UNLOOKED_SHARE * sizes:
        return None
    remember_tried(repository, _CHORE)
    trial = optimize(
        repository, options=replace(options, dry_run=True, most_seconds=_TRIAL_SECONDS), monitor=monitor, clock=clock
    )
    if trial.bytes_after > (1 - _WORTH) * trial.bytes_before:
        return None
    return optimize(repository, options=options, monitor=monitor, clock=clock)
