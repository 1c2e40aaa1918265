"""Rows of public data sets as conversations, one module a format."""
