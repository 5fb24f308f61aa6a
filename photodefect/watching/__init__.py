"""Photos that arrive in a folder: noticed, waited for until they are complete, and diagnosed once."""
