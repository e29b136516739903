"""What ``quant-assets market check`` says of the sources that a description lists."""

from collections.abc import Iterator

from quant_assets.commands.market_listings import describe_unclaimed
from quant_assets.market.description.market import MarketDescription, SourceChoice
from quant_assets.sources.files.options import read_options
from quant_assets.sources.joined.options import read_source_rules
from quant_assets.sources.registry import FILES, find_opener


def require_known_sources(market: MarketDescription) -> None:
    """Refuse a description that names a source which is not there.

    Raises:
        MarketError: a source is unknown, or a list of sources cannot be used.
    """
    for choice in _list_choices(market):
        find_opener(choice, market)


def list_missing_places(market: MarketDescription) -> Iterator[str]:
    """Yield the folders and files of prices and bars that the description names and are not there.

    Raises:
        MarketError: an option cannot be used.
    """
    for choice in _list_choices(market):
        if choice.name == FILES:
            options = read_options(choice.options, market.file.parent)
            places = [options.place, *([options.bars.place] if options.bars else [])]
            yield from (str(place) for place in places if not place.exists())


def list_unclaimed_rows(market: MarketDescription) -> Iterator[str]:
    """Yield what files have of renamed instruments that a load leaves out, or that they lack.

    Raises:
        MarketError: an option cannot be used.
        SourceError: the files cannot be read.
    """
    if not market.listings:
        return
    for choice in _list_choices(market):
        if choice.name == FILES:
            options = read_options(choice.options, market.file.parent)
            yield from describe_unclaimed(
                options.place, dict(options.columns), market.instruments()
            )


def _list_choices(market: MarketDescription) -> list[SourceChoice]:
    """Return the sources that the description names."""
    choice = market.source
    if choice is None:
        return []
    if choice.is_list and choice.options is not None:
        return [rule.choice for rule in read_source_rules(choice.options, market)]
    return [choice]


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
