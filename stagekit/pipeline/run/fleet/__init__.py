"""A release on several hosts, as one: ready on all before any is switched, and never mixed in
silence."""
