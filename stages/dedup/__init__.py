"""Exact and near duplicates: keys of documents, edges between equal keys, clusters of joined documents."""
