"""Exact and near duplicates: items, keys and sketches of documents, and which pairs of them are copies."""
