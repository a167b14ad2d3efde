"""Backtests: a strategy over recorded data in virtual time."""
