"""What a task does: one file a step."""
