"""Aetherion: one engine for research, backtest, paper and live trading."""

from aetherion.account import AccountState, Money, Position
from aetherion.errors import AetherionError
from aetherion.exact import GridError
from aetherion.instrument import Instrument
from aetherion.market_data import Bar, Quote, Trade
from aetherion.order import (
    ContingencyType,
    ExecInst,
    ExecType,
    ExecutionReport,
    NewOrder,
    Order,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from aetherion.strategy import Book, Strategy

__all__ = [
    "AccountState",
    "AetherionError",
    "Bar",
    "Book",
    "ContingencyType",
    "ExecInst",
    "ExecType",
    "ExecutionReport",
    "GridError",
    "Instrument",
    "Money",
    "NewOrder",
    "OrdStatus",
    "OrdType",
    "Order",
    "Position",
    "Quote",
    "Side",
    "Strategy",
    "TimeInForce",
    "Trade",
]
