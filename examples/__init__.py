"""What shows stagekit at work: an application, and the demo that takes it all the way."""
