"""Snapshots: archived answers of many origins, read so that damage never passes for permission."""
