"""Typed asyncio clients of the services; the one place that sees generated code."""

from aetherion.client.channel import (
    DeadlineError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
    ResourceExhaustedError,
    ServiceError,
    ServiceUnavailableError,
)
from aetherion.client.risk import RiskClient
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
from aetherion.client.trading import TradingClient, TradingStatus
from aetherion.client.venue import (
    FaultRecord,
    ReplaceOrder,
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
    "MarketDataStream",
    "NotFoundError",
    "OrderStream",
    "ProtocolError",
    "QueueModel",
    "ReplaceOrder",
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
