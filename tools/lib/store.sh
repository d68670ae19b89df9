# The skeleton of a backend.

dev_new_store() { fail "new-store is not there yet; copy src/stores/memory, it is the smallest"; }
