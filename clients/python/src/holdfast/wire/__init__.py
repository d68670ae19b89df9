"""Code that the build generates from proto/holdfast/wire/messages.proto; private to the client."""
