"""Aetherion: one engine for research, backtest, paper and live trading."""
