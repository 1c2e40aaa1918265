"""How the embedded toxicity model is made: labelled sets (`sets`), what is kept apart (`folds`), training (`train`)."""
