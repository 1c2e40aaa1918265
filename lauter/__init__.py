"""Lauter: a compliant multilingual pretraining-data pipeline with a bundled trainer."""

__version__ = "0.1.0"
