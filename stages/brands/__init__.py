"""Names of other assistants and of those who make them, in dialogues."""
