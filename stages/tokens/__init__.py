"""Text to token ids: any Hugging Face tokenizer (`encoder`), and the one that comes with Lauter (`tekken`).

A tokenizer is two files: `tokenizer.json` without added tokens, and a sidecar that says which ids are control tokens.
The folder is not called `tokenize`: in a path that Python searches, that name would hide the standard library's module.
"""
