// Filled in by the layers commit.
