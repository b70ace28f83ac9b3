"""The reference of docs/reference/, written from the code: ``inv docs``."""
