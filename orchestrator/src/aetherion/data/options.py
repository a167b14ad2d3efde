"""What a user may say about a file that the file itself does not, or says wrongly."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, get_args

from aetherion.data.problems import DataError
from aetherion.instrument import InstrumentClass

Kind = Literal["bar", "quote", "trade", "level", "order"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import; all that is None is recognised from the data or the file's name.

    `columns` maps our field names to the file's column names, for example {"close": "Last"}.
    `venues` gives single symbols a venue of their own. Times are ns.
    """

    kind: Kind | None = None
    symbol: str | None = None
    venue: str | None = None
    venues: dict[str, str] = field(default_factory=dict)
    instrument_class: InstrumentClass | None = None
    quote_currency: str | None = None
    price_scale: int | None = None
    qty_scale: int | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    maker_fee_bps: Decimal = Decimal(0)
    taker_fee_bps: Decimal = Decimal(0)
    allow_negative_price: bool = False
    time_column: str | None = None
    time_format: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    interval_ns: int | None = None
    adjust: bool = False
    round: bool = False
    strict: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse what no file could satisfy.

        Raises:
            DataError: an option contradicts another or is out of range.
        """
        if self.kind is not None and self.kind not in KINDS:
            raise DataError(f"kind: must be one of {', '.join(KINDS)}, got {self.kind}")
        for name, scale in (("price_scale", self.price_scale), ("qty_scale", self.qty_scale)):
            if scale is not None and not 0 <= scale <= 18:
                raise DataError(f"{name}: must be from 0 to 18, got {scale}")
        for name, step in (("tick", self.tick), ("lot", self.lot)):
            if step is not None and not (step.is_finite() and step > 0):
                raise DataError(f"{name}: must be positive, got {step}")
        if self.round and self.price_scale is None:
            raise DataError("round: needs price_scale, the decimals to round to, got nothing")
        if self.interval_ns is not None and self.interval_ns <= 0:
            raise DataError(f"interval: must be positive, got {self.interval_ns} ns")
