"""What somebody could do who is not meant to, one file a subject; docs/reliability.md says from
whom stagekit protects what. On a real engine there is more in tests/engine."""
