"""Lines, paragraphs and sentences that stand in more than one place of a corpus: their keys, and what is cut."""
