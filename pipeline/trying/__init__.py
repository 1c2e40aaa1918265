"""`lauter try`: one stage, run over a few files and shown at once, to choose its parameters by."""
