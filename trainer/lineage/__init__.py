"""What a model was made of: from an export or a checkpoint back to the roots of its corpora."""
