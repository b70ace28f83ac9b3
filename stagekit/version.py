"""The version of this stagekit, written into every release."""

__version__ = "0.1.0"
