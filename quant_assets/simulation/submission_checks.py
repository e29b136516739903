"""Whether the days of a rehearsal were submitted in time, and stayed as they were submitted."""

from datetime import date

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.table import LIVE
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.scenario import BAD_DAY, LEFT_OUT
from quant_assets.simulation.submission_log import digest_submissions, read_log

_TOO_LATE = (LEFT_OUT, BAD_DAY)
"""Incidents on whose first day there are no prices to submit from before later prices are known."""


def list_days_in_time(plan: Plan) -> list[date]:
    """List the days of a plan whose prices come before those of a later day."""
    late = {incident.first for incident in plan.incidents if incident.kind in _TOO_LATE}
    return [plan.market.day(number) for number in range(plan.days) if number not in late]


def read_live_days(plan: Plan, lake: Lake) -> list[date]:
    """Read the days of a plan that were submitted before later prices were known."""
    rows = lake.query(
        f"SELECT DISTINCT trading_day FROM {SUBMISSIONS.quoted} WHERE trading_day BETWEEN ? AND ?"
        " AND origin = ? ORDER BY 1",
        [plan.market.day(0), plan.market.day(plan.days - 1), LIVE],
    )
    return [day.date() for day in rows["trading_day"]]


def check_submissions(plan: Plan, lake: Lake) -> list[str]:
    """Report days that were not submitted in time, and submissions that changed later."""
    live = set(read_live_days(plan, lake))
    missing = [day for day in list_days_in_time(plan) if day not in live]
    failures = [f"{day} was not submitted in time" for day in missing]
    digests, logged = digest_submissions(lake, plan.begin), read_log(plan.root)
    unlogged = digests.keys() - {submission.day for submission in logged}
    failures += [
        f"the submission of {day} is not in the submission log" for day in sorted(unlogged)
    ]
    for submission in logged:
        day, known = submission.day, submission.known
        if known != day:
            failures.append(f"{day} was submitted when the prices of {known} were known")
        if digests.get(day) != submission.digest:
            failures.append(f"the submission of {day} was changed afterwards")
    return failures
