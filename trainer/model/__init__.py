"""The Apertus architecture: shapes, layers, initial weights."""
