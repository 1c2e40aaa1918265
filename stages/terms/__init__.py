"""Whether what a model wrote may train another one, by the terms of the model that wrote it."""
