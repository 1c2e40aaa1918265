"""Text from records: HTML through a guarded extractor, plain text by decoding, text that is there already as it is."""
