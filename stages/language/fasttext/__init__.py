"""Supervised fastText models: the file (`read`), texts to features (`features`), features to answers (`predict`)."""
