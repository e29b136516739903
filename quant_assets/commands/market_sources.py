"""What ``quant-assets market check`` says of the sources that a description lists."""

from collections.abc import Iterator

from quant_assets.market.description.market import MarketDescription
from quant_assets.sources.joined.options import read_source_rules


def describe_sources(market: MarketDescription) -> Iterator[str]:
    """Yield what each of several sources covers, in their order; nothing for one source.

    No file is read, and no vendor is asked.

    Raises:
        MarketError: the list cannot be used.
    """
    choice = market.source
    if choice is None or not choice.is_list or choice.options is None:
        return
    of_market = {each.name: each.fields for each in market.instruments()}
    for rule in read_source_rules(choice.options, market):
        fields = dict.fromkeys(field for own in rule.covers.values() for field in own)
        whole = all(len(own) == len(of_market[name]) for name, own in rule.covers.items())
        part = "" if whole else f", {', '.join(fields)}"
        yield f"{rule.name}: {len(rule.covers):,} of {len(of_market):,} instruments{part}"
