"""What a model can do: bits per byte, small offline tasks, and other people's tasks through their own harness."""
