"""Commands that are stopped, or whose writes fail, at every point there is; what comes after is
held against what is promised (docs/reliability.md).

The points are not listed anywhere: the interpreter's own audit events name each file that a command
opens to write, renames, links or removes and each program that it starts, and the console hears of
each step's begin and end. A command is run once to count them, and again for each, in a copy of the
same project. A new step or a new write is covered as soon as a scenario comes by it; and every task
is in a scenario, or on the list of those that only look.

``pytest tests/faults`` takes a few of the points, of different kinds; ``--faults=each`` every one,
in one way; ``--faults=all`` every one, in all ways.
"""
