"""The rooms of the package in order, top to bottom, and what belongs in each.

The import test, CONTRIBUTING's table and the architecture page are made from ``ROWS``. A room
imports from the rows below its own only. Nothing that a program runs belongs here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """A package, or a module beside the packages.

    Attributes:
        name: as it is imported, without ``quant_assets.``.
        holds: what belongs there.
        leaves_out: what a reader might look for there and finds elsewhere.
        parts: its subpackages and what each holds.
        dagster: whether its modules may import Dagster.
    """

    name: str
    holds: str
    leaves_out: str
    parts: tuple[tuple[str, str], ...] = ()
    dagster: bool = False


ROWS: tuple[tuple[Room, ...], ...] = (
    (Room("cli", "the commands a person types: signatures and help", "what a command does"),),
    (
        Room(
            "commands",
            "what the commands run: load, inspect, report, serve, check the machine; "
            "how results look in a terminal; the reference pages",
            "anything an asset computes",
        ),
    ),
    (
        Room(
            "simulation",
            "a simulated year: a growing market, Dagster's daemon on a moved clock, planted "
            "incidents, and the assessment of how the platform dealt with them",
            "anything that real use needs",
            dagster=True,
        ),
    ),
    (
        Room(
            "definitions",
            "composition: settings in, Dagster definitions out",
            "everything else",
            dagster=True,
        ),
    ),
    (
        Room(
            "orchestration",
            "the Dagster shell: what depends on what, when it runs, where it is stored",
            "arithmetic, and SQL over more than one table",
            (
                ("assets", "one module a layer: assets, their checks and pictures"),
                ("jobs", "what one can run"),
                ("schedules", "what runs at an hour"),
                ("sensors", "what runs when something happened"),
                ("run_requests", "which run to ask for: next days, retries, retrain triggers"),
                ("execution", "running jobs from the command line, progress, metrics of runs"),
                ("storages", "Dagster's storages and launchers, and its private interfaces"),
                ("config", "the files that configure Dagster's instance and workspace"),
            ),
            dagster=True,
        ),
    ),
    (
        Room("reports", "pages: sections made of tables, charts, the template", "metrics"),
        Room("metrics", "what the lake says of itself, for Prometheus", "runs: Dagster has them"),
        Room("tracking", "fits and releases in MLflow", "what a fit or a release is"),
    ),
    (
        Room("promotion", "releases: gates, shares, rollback, what is submitted", "fitting"),
        Room("tuning", "searching a family's parameters", "what a family is"),
        Room("alerts", "opening, closing and delivering alerts", "what is worth an alert"),
        Room(
            "monitoring",
            "whether data, features, forecasts and their skill are as they used to be",
            "how good forecasts were: that is scoring",
            (
                ("data", "completeness and freshness of prices; market regimes"),
                ("drift", "distances of features and forecasts from a fit's training days"),
                ("anomalies", "unusual prices and volumes"),
                ("skill", "scores and health against what the champion did before"),
            ),
        ),
    ),
    (
        Room("submission", "the row of each day and its files", "which forecast is submitted"),
        Room("scoring", "the metric, its significance, scoreboard, attribution", "fitting"),
    ),
    (
        Room("training", "making, keeping and repeating fits; walk-forward", "the families"),
        Room("ensemble", "weights, blend and intervals", "how good a family is"),
        Room("quality", "cleaning, and the suites of expectations", "where prices come from"),
    ),
    (
        Room(
            "lake",
            "DuckDB: tables, transactions, and point-in-time reads",
            "arithmetic of features and models",
            (
                ("schemas", "every table: its columns and what they mean"),
                ("store", "connections, transactions, artifacts"),
                ("readers", "tables as arrays; the only door to labels"),
            ),
        ),
    ),
    (
        Room("features", "prices in, features out, as arrays", "tables and files"),
        Room(
            "models",
            "observations in, scores out, as arrays",
            "tables, files and walk-forward",
            (
                ("families", "one module a model family"),
                ("neural", "what the neural families share"),
            ),
        ),
        Room(
            "sources",
            "reading what a source gave",
            "cleaning it",
            (
                ("competition", "a folder in the competition's format"),
                ("simulated", "the market that needs no data"),
            ),
        ),
    ),
    (Room("market", "calendar, instruments, targets, price panel", "prices' origin"),),
    (Room("core", "errors, clock, settings, ranks, array types, digests of code", "markets"),),
)
