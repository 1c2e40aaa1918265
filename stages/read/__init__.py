"""Readers: one file in, records out. Each counts its files a second time by other code."""
