"""Probes: texts that are planted a known number of times, to measure what a model remembers (`reader`, `entries`)."""
