"""Code that the build generates from proto/holdfast/v2/state.proto of the repository."""
