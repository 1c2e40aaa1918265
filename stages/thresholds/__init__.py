"""Thresholds and stop words by language, made from data: what `lauter lang thresholds` puts into a languages file."""
