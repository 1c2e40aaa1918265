"""Dialogues out of files in the usual public shapes, each a record with marks."""
