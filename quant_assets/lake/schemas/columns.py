"""Columns that many tables have."""

from quant_assets.lake.schemas.table import Column

DAY = Column("trading_day", "DATE", "a trading day of the market")
TARGET = Column("target", "VARCHAR", "name of the target")
INSTRUMENT = Column("instrument", "VARCHAR", "name of the instrument")
DATE_ID = Column("date_id", "BIGINT", "the source's number of the day")
