"""Single figures out of one scenario's samples, as targets are stated in them; None where one was not measured."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from benchmarks.peers import OURS, REFERENCES
from benchmarks.results import ScenarioResult
from benchmarks.scenarios.scale import of_files

Figure = Callable[[ScenarioResult], float | None]


def faster(operation: str, *peers: str) -> Figure:
    """How many times as fast as the fastest of some peers, or of those that targets are stated against."""
    return lambda result: speed_ratio(result, operation, OURS, peers or REFERENCES)


def wall(operation: str) -> Figure:
    """Wall seconds."""
    return lambda result: result.wall(operation, OURS)


def wall_of_floor(operation: str, step: str) -> Figure:
    """Wall seconds as a multiple of those of a floor."""
    return lambda result: _ratio(result.wall(operation, OURS), result.floor_wall(step))


def cpu_of_floor(operation: str, step: str) -> Figure:
    """CPU seconds as a multiple of those of a floor."""
    return lambda result: _ratio(result.cpu(operation, OURS), result.floor_cpu(step))


def size(moment: str, peer: str, their_moment: str | None = None) -> Figure:
    """Size as a multiple of another peer's, at the same moment or at one of its own."""
    return lambda result: _ratio(result.size(moment, OURS), result.size(their_moment or moment, peer))


def peak_memory(*operations: str) -> Figure:
    """Highest peak of any of the operations, or of all, in bytes."""
    return lambda result: _highest(result.peak_memory(one, OURS) for one in operations or result.operations())


def peak_memory_at(files: int) -> Figure:
    """Highest peak of any operation on so many files, in bytes."""
    ending = of_files("", files)
    return lambda result: _highest(result.peak_memory(one, OURS) for one in result.operations() if one.endswith(ending))


def linear(operation: str, few: int, many: int) -> Figure:
    """Time for many files as a multiple of what it would be in proportion to that for few."""

    def figure(result: ScenarioResult) -> float | None:
        return _ratio(
            result.wall(of_files(operation, many), OURS), result.wall(of_files(operation, few), OURS), many / few
        )

    return figure


def last_of_first(operation: str) -> Figure:
    """Wall time of the last twentieth of all samples as a multiple of that of the first twentieth."""
    return lambda result: _end_of_beginning([sample.wall for sample in result.of(operation, OURS)])


def memory_of_first(operation: str) -> Figure:
    """Peak memory of the last twentieth of all samples as a multiple of that of the first twentieth."""
    return lambda result: _end_of_beginning([sample.peak_memory for sample in result.of(operation, OURS)])


def speed_ratio(result: ScenarioResult, operation: str, peer: str, others: Iterable[str] = REFERENCES) -> float | None:
    """Return how many times as fast `peer` was as the fastest of the others."""
    own = result.wall(operation, peer)
    walls = [found for found in (result.wall(operation, other) for other in others) if found is not None]
    return min(walls) / own if own and walls else None


def _ratio(one: float | None, other: float | None, scale: float = 1.0) -> float | None:
    return one / other / scale if one is not None and other else None


def _end_of_beginning(values: Sequence[float]) -> float | None:
    part = len(values) // 20
    return _ratio(median(values[-part:]), median(values[:part])) if part else None


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
