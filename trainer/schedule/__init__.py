"""Learning rate and batch size as functions of the tokens seen."""
