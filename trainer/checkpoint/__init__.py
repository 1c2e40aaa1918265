"""Checkpoints: saved whole, verified, loadable by any layout."""
