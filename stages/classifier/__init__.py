"""A linear classifier of texts over hashed words and n-grams: a room that stages share, and no stage itself."""
