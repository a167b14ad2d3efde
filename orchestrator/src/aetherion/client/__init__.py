"""Typed asyncio clients of the services; the one place that sees generated code."""

from aetherion.client.admin import LimitsChange, TradingStatus
from aetherion.client.channel import (
    DeadlineError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    ProtocolError,
    ResourceExhaustedError,
    ServiceError,
    ServiceUnavailableError,
)
from aetherion.client.risk import RiskClient
from aetherion.client.session import OrderSession
from aetherion.client.simulation import (
    BacktestConfig,
    BacktestEvent,
    BacktestFinished,
    BacktestSession,
    BacktestStarted,
    BacktestStep,
    QueueModel,
)
from aetherion.client.streams import MarketDataStream, OrderStream
from aetherion.client.trading import TradingClient
from aetherion.client.venue import (
    FaultRecord,
    TradeStream,
    VenueBalance,
    VenueBook,
    VenueClient,
    VenueDescription,
)

__all__ = [
    "BacktestConfig",
    "BacktestEvent",
    "BacktestFinished",
    "BacktestSession",
    "BacktestStarted",
    "BacktestStep",
    "DeadlineError",
    "FailedPreconditionError",
    "FaultRecord",
    "InvalidArgumentError",
    "LimitsChange",
    "MarketDataStream",
    "NotFoundError",
    "OrderSession",
    "OrderStream",
    "OutOfRangeError",
    "ProtocolError",
    "QueueModel",
    "ResourceExhaustedError",
    "RiskClient",
    "ServiceError",
    "ServiceUnavailableError",
    "TradeStream",
    "TradingClient",
    "TradingStatus",
    "VenueBalance",
    "VenueBook",
    "VenueClient",
    "VenueDescription",
]
