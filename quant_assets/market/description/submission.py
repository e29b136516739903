"""How the submission of a described market is laid out: long, or one column a target.

Writing files belongs in the room ``submission``.
"""

from dataclasses import dataclass

from quant_assets.market.description.values import Value, fault_of_name

_NUMBER = "{number}"


@dataclass(frozen=True)
class SubmissionForm:
    """The layout of a submission.

    Attributes:
        template: name of a target's column, with ``{number}`` for its number from 0; None for a
            long submission, which has a row per day and target.
    """

    template: str | None = None

    def columns(self, count: int) -> tuple[str, ...]:
        """Return the columns of ``count`` targets; empty for a long submission.

        >>> SubmissionForm("target_{number}").columns(2)
        ('target_0', 'target_1')
        """
        if self.template is None:
            return ()
        return tuple(self.template.replace(_NUMBER, str(i)) for i in range(count))


def read_submission(value: Value) -> SubmissionForm:
    """Read the key ``submission``: the text ``long``, or a map with ``wide``.

    Raises:
        MarketError: it is neither, or the template does not hold ``{number}`` once.
    """
    if not isinstance(value.content, dict):
        value.choice("form of submission", ["long", "wide"])
        if value.content == "wide":
            raise value.error(
                "a wide submission needs names of columns", expected='{wide: "target_{number}"}'
            )
        return SubmissionForm()
    template = value.record(("wide",), ("wide",))["wide"]
    text = template.text()
    rest = text.replace(_NUMBER, "", 1)
    if _NUMBER not in text or set("{}") & set(rest) or fault_of_name(text):
        raise template.error(
            "the columns cannot be named", expected="a text that holds {number} once"
        )
    return SubmissionForm(text)
