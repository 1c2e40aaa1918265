"""Where tasks run: in this process (`inline`) or on Ray's workers (`ray`). Both see only small, picklable tasks."""
