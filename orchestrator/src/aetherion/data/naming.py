"""What an instrument is called and what it is, as far as the names of files and symbols tell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError
from aetherion.instrument import InstrumentClass

# Where recorded data is traded when nothing says where it is from.
DEFAULT_VENUE = "SIM"

_VENUE = re.compile(
    r"binance|bitfinex|bitstamp|bybit|coinbase|deribit|fxcm|kraken|kucoin|oanda|okx"
    r"|nasdaq|nyse|xnas|xnys|arcx|us|spot|usdm|cm",
    re.IGNORECASE,
)
# Words that say nothing of the instrument: kinds, intervals, dates.
_OTHER = re.compile(
    r"bars?|ohlcv?|candles|klines|quotes?|bbo|l1|l2|l3|orders?|book|depth|levels?|trades?|ticks?|data|prices"
    r"|daily|hourly|minute|history|unadjusted|adjusted"
    r"|\d+(s|m|min|h|d|w|mo)|\d{2}|\d{4}|\d{6}|\d{8}",
    re.IGNORECASE,
)
_INSTRUMENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,62}\.[A-Za-z0-9_-]{1,32}")
# Binance's two futures exchanges: margined in stablecoins, and in coins.
_FUTURES_VENUES = ("_USDM", "_CM")
# Stock symbols have at most five letters, a pair six or more.
_PAIR = re.compile(
    r"(?=.{6})(..+?)"
    r"(USDT|USDC|BUSD|FDUSD|USD|EUR|GBP|JPY|CHF|AUD|CAD|NZD|SEK|NOK|CNY|BTC|ETH|BNB)"
)


@dataclass(frozen=True, slots=True)
class Contract:
    """What a symbol stands for."""

    instrument_class: InstrumentClass
    base_currency: str
    quote_currency: str


def from_file_name(stem: str) -> tuple[str, str]:
    """Return the symbol and the venue that a file is named for.

    Dates, intervals and kinds are left out: "binance_usdm_btcusdt_20240808_quotes" is BTCUSDT of
    BINANCE_USDM, so that its quotes and its trades are one instrument. "AAPL" is of `SIM`.
    """
    words = [word for word in re.split(r"[_\s-]+", stem) if word]
    venue = [w for w in words if _VENUE.fullmatch(w)]
    symbol = [w for w in words if not _VENUE.fullmatch(w) and not _OTHER.fullmatch(w)]
    if not symbol:  # the words mean something else here: CM is also a bank, 7203 a car maker
        return "_".join(words).upper(), DEFAULT_VENUE
    return "_".join(symbol).upper(), "_".join(venue).upper() or DEFAULT_VENUE


def instrument_id(symbol: str, venue: str, options: ImportOptions) -> str:
    """Return SYMBOL.VENUE. A symbol that is written so already keeps its venue.

    Raises:
        DataError: it has characters that an id cannot have.
    """
    suffix = symbol.rpartition(".")[2]
    own = options.venue is None and suffix != symbol and _VENUE.fullmatch(suffix) is not None
    venue = options.venues.get(symbol, options.venue or venue)
    full = symbol if own else f"{symbol}.{venue}"
    if not _INSTRUMENT_ID.fullmatch(full):
        raise DataError(
            "symbol: must be letters, digits, '_', '-', '/' and '.', at most 64 of them, and so "
            f"the venue, at most 32, got {full!r}"
        )
    return full


def is_inverse(name: str) -> bool:
    """Say whether SYMBOL.VENUE is margined in coins: its P&L is not linear in its price."""
    return name.endswith("_CM")


def contract(name: str, options: ImportOptions) -> Contract:
    """Return what SYMBOL.VENUE most likely is: a pair, a future on one, or else a stock in USD."""
    symbol, _, venue = name.rpartition(".")
    letters = re.sub(r"[_/-]", "", symbol.upper())
    future = letters.endswith("PERP") or venue.endswith(_FUTURES_VENUES)
    letters = letters.removesuffix("PERP")
    pair = _PAIR.fullmatch(letters)
    base, quote = pair.groups() if pair else (letters if future else symbol, "USD")
    if future:
        kind = InstrumentClass.FUTURE
    else:
        kind = InstrumentClass.SPOT if pair else InstrumentClass.EQUITY
    return Contract(options.instrument_class or kind, base, options.quote_currency or quote)
