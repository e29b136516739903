"""What every benchmark shares: a figure with its unit and goal, timing in turns, memory, processes.

What is measured, and against what, is said in the module of each benchmark.
"""

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]  # it has no types

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number.
        unit: of the number; ``x`` for a ratio, empty for a plain number.
        at_most: the goal, where less is better.
        at_least: the goal, where more is better.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words; empty where there is none."""
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        return "" if self.at_least is None else f"at least {self.at_least:g}"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    def as_json(self) -> dict[str, Any]:
        """Value and unit, and the goal where there is one."""
        goal = {"goal": self.goal, "met": self.met} if self.goal else {}
        return {"value": self.value, "unit": self.unit, **goal}

    def line(self) -> str:
        """A row of the table of figures."""
        met = {True: "met", False: "MISSED", None: ""}[self.met]
        shown = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
        return f"  {self.name:<66}{shown:>9} {self.unit:<4}{self.goal:<14}{met}".rstrip()


def medians(
    works: Mapping[str, Callable[[], object]], repeats: int, *, warm_ups: int = 1
) -> dict[str, float]:
    """Median wall-clock seconds of each work over ``repeats`` rounds.

    In a round each is done once, one after the other, so that what else the machine does in the
    meantime falls on all of them; ``warm_ups`` such rounds come first and do not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(warm_ups + repeats):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(times[warm_ups:]) for name, times in taken.items()}


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of doing it once."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak_of(memory: Callable[[], int], work: Callable[[], object], interval: float) -> float:
    """GB of the most that ``memory`` says, every ``interval`` seconds while the work is done."""
    done, peak = threading.Event(), memory()

    def watch() -> None:
        nonlocal peak
        while not done.wait(interval):
            peak = max(peak, memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak / 1e9


def extra_memory(work: Callable[[], object]) -> float:
    """GB by which the resident memory of this process rises at most while the work is done."""
    before = own_memory()
    return peak_of(own_memory, work, 0.005) - before / 1e9


def own_memory() -> int:
    """Resident bytes of this process."""
    return int(psutil.Process().memory_info().rss)


def memory_of_children() -> int:
    """Resident bytes of all processes below this one together; what they share counts for each."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return total


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """The result of the work in a process of its own: no caches or threads of what ran before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
