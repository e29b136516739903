"""Common parts of benchmarks: figures with units and goals, timing in turns, memory, processes.

The benchmarks themselves are in the neighbouring modules.
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
    """A measured number.

    Attributes:
        name: description of the measured quantity.
        value: the number.
        unit: unit of the number; ``x`` for a ratio, empty for a plain number.
        at_most: the goal if less is better.
        at_least: the goal if more is better.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words; empty without a goal."""
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        return "" if self.at_least is None else f"at least {self.at_least:g}"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    def as_json(self) -> dict[str, Any]:
        """Return value, unit, and the goal if there is one."""
        goal = {"goal": self.goal, "met": self.met} if self.goal else {}
        return {"value": self.value, "unit": self.unit, **goal}

    def line(self) -> str:
        """Return the figure as a row of the table."""
        met = {True: "met", False: "MISSED", None: ""}[self.met]
        shown = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
        return f"  {self.name:<66}{shown:>9} {self.unit:<4}{self.goal:<14}{met}".rstrip()


def medians(
    works: Mapping[str, Callable[[], object]], repeats: int, *, warm_ups: int = 1
) -> dict[str, float]:
    """Measure the median wall-clock seconds of functions over several rounds.

    Each round calls every function once, so that other load on the machine affects all of them.

    Args:
        works: functions to measure, by name.
        repeats: number of rounds.
        warm_ups: number of rounds before them that do not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(warm_ups + repeats):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(times[warm_ups:]) for name, times in taken.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_of(memory: Callable[[], int], work: Callable[[], object], interval: float) -> float:
    """Return the largest memory in GB during a call.

    Args:
        memory: returns the present memory in bytes.
        work: the function to call.
        interval: seconds between measurements.
    """
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
    """Return the GB by which the resident memory of this process rises during a call."""
    before = own_memory()
    return peak_of(own_memory, work, 0.005) - before / 1e9


def own_memory() -> int:
    """Return the resident bytes of this process."""
    return int(psutil.Process().memory_info().rss)


def memory_of_children() -> int:
    """Return the bytes of all child processes, without those of files that the system can drop."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            memory = child.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    return total


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """Call a function in a fresh process, without caches or threads of earlier calls."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
