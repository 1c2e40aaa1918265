"""Word evidence: which of the words of a text a label's list has, and what that says of an answer."""
