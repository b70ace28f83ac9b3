"""What ships as plugins: registered like anybody's, through the same hooks."""
