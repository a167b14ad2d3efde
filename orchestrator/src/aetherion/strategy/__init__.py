"""Strategies: the class to derive from, and what runs it."""

from aetherion.strategy.base import Clock, Strategy
from aetherion.strategy.book import Book, Level
from aetherion.strategy.host import Host, StrategyError
from aetherion.strategy.parameters import ParameterError
from aetherion.strategy.portfolio import Portfolio

__all__ = [
    "Book",
    "Clock",
    "Host",
    "Level",
    "ParameterError",
    "Portfolio",
    "Strategy",
    "StrategyError",
]
