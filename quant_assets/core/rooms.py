"""The rooms of the package in order, top to bottom, and what belongs in each.

The import test, CONTRIBUTING's table and the architecture page use ``ROWS``. A room imports from
the rows below its own only. Code that a program runs does not belong here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """A package, or a module beside the packages.

    Attributes:
        name: import name, without ``quant_assets.``.
        holds: the contents of the room.
        leaves_out: contents that a reader might expect there and that are elsewhere.
        parts: names of the subpackages and their contents.
        dagster: whether its modules may import Dagster.
    """

    name: str
    holds: str
    leaves_out: str
    parts: tuple[tuple[str, str], ...] = ()
    dagster: bool = False


ROWS: tuple[tuple[Room, ...], ...] = (
    (Room("cli", "the command line: signatures and help of commands", "the work of a command"),),
    (
        Room(
            "commands",
            "the work of the commands: load, inspect, report, serve, check the machine; "
            "output in a terminal; the reference pages",
            "computations of assets",
        ),
    ),
    (
        Room(
            "api",
            "the prediction API: routes, answers, who may ask, streams, the page in the browser",
            "computing forecasts, and SQL over more than one table",
            (("routes", "a module for each kind of question"),),
            dagster=True,
        ),
        Room("client", "the typed client of the prediction API", "everything that a server does"),
    ),
    (
        Room(
            "simulation",
            "a simulated year: a growing market, Dagster's daemon on a moved clock, planted "
            "incidents, and the assessment of the platform's reactions",
            "code that real use needs",
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
            "the Dagster shell: dependencies, start and storage of assets and runs",
            "arithmetic, and SQL over more than one table",
            (
                ("assets", "assets, checks, pictures: a module for a layer or a part of one"),
                ("jobs", "the jobs"),
                ("schedules", "runs at fixed hours"),
                ("sensors", "runs after events"),
                ("run_requests", "decisions about the next run: days, retries, retrain triggers"),
                ("execution", "running jobs from the command line, progress, metrics of runs"),
                ("storages", "Dagster's storages and launchers, and its private interfaces"),
                ("config", "the files that configure Dagster's instance and workspace"),
            ),
            dagster=True,
        ),
    ),
    (
        Room("reports", "pages: sections from tables, charts, the template", "metrics"),
        Room(
            "metrics", "figures from the lake, for Prometheus", "figures of runs: Dagster has them"
        ),
        Room("tracking", "fits and releases in MLflow", "making fits and releases"),
        Room(
            "backup",
            "backups of a data directory: pieces, manifests, restoring and verifying",
            "how a lake is copied: lake.store",
        ),
        Room(
            "kaggle",
            "the competition's own rules: what is wrong with a submission; its evaluation server, "
            "a gateway for testing, the notebook",
            "the metric, and forecasting from sent prices",
        ),
    ),
    (
        Room(
            "serving",
            "forecasts of releases from prices that are not stored, on top of the stored history",
            "questions and answers of a network; writing to the lake",
        ),
    ),
    (
        Room("access", "API keys with roles, limits of requests, and the audit", "routes"),
        Room("promotion", "releases: gates, shares, rollback, the submitted forecast", "fitting"),
        Room("tuning", "studies of a family's parameters", "the families"),
        Room(
            "alerts",
            "opening, closing and delivering alerts",
            "deciding which facts deserve an alert",
        ),
        Room(
            "monitoring",
            "comparing data, features, forecasts and scores with earlier days",
            "the scores themselves: scoring computes them",
            (
                ("data", "completeness and freshness of prices; market regimes"),
                ("drift", "distances of features and forecasts from a fit's training days"),
                ("anomalies", "unusual prices and volumes"),
                ("skill", "scores and health of forecasts against earlier days"),
            ),
        ),
    ),
    (
        Room("submission", "the submission of each day and its files", "choosing the forecast"),
        Room(
            "review",
            "flagged prices that wait for a person, and recording the decisions",
            "flagging prices, and applying decisions to them",
        ),
        Room("scoring", "the metric, its significance, scoreboard, attribution", "fitting"),
    ),
    (
        Room("training", "making, storing and repeating fits; walk-forward", "the families"),
        Room("ensemble", "weights, blend and intervals", "scores of families"),
        Room(
            "revisions",
            "what a source changed in the past: comparing it with the lake, and what follows",
            "reading a source; the arithmetic of prices",
        ),
    ),
    (Room("quality", "cleaning, and the suites of expectations", "reading prices from a source"),),
    (
        Room(
            "lake",
            "DuckDB: tables, transactions, and point-in-time reads",
            "arithmetic of features and models",
            (
                ("schemas", "all tables: columns and their meaning"),
                ("store", "connections, transactions, artifacts"),
                ("readers", "reads of tables as arrays; the only reads of labels"),
            ),
        ),
    ),
    (
        Room("features", "computing arrays of features from arrays of prices", "tables and files"),
        Room(
            "models",
            "model families: forecasts from observations, as arrays",
            "tables, files and walk-forward",
            (
                ("families", "a module for each model family"),
                ("neural", "common parts of the neural families"),
            ),
        ),
        Room(
            "sources",
            "reading prices and targets from a source",
            "cleaning prices",
            (
                ("competition", "a folder in the competition's format"),
                ("http", "vendors over HTTP: the client, answers as they came, and a module each"),
                ("files", "a folder of price files of a described market"),
                ("joined", "several sources of one market as one source"),
                ("tables", "tables of observations beside prices: files, FRED and the EIA"),
                ("simulated", "a simulated market"),
            ),
        ),
    ),
    (
        Room(
            "market",
            "calendar, instruments, targets, price panel",
            "sources of prices",
            (("description", "what `market.yaml` says of a market: reading and checking it"),),
        ),
    ),
    (
        Room(
            "core",
            "errors, clock, settings, ranks, array types, digests of code, workers, files, locks",
            "markets",
        ),
    ),
)
