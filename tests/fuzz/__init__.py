"""What stagekit reads, given bytes that nobody wrote: see `tests.fuzz.targets`."""
