"""A plugin that implements every hook and writes down what it was told."""
