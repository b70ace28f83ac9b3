"""Run: a sealed release → running, proven. Adds nothing, renders nothing, builds nothing."""
