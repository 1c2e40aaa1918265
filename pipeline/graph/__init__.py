"""From a checked manifest to tasks: one file for each part of the graph, joined in `plan`."""
