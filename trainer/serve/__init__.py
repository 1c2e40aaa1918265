"""Talking with a model: in a terminal, and over the chat-completions protocol."""
