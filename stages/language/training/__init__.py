"""Trains the embedded language model: `train.train_model`, by a recipe that gives the same file on every machine."""
