"""Does a model find what stands far back in its context? Made-up tasks with one right answer each."""
