"""The ledger in a branch of a git repository, shared by all that may push to it.

Every commit of the branch is one entry: it appends records, and says who did that and why. Its
tree has two parts:

index/<series>/<nnnn>/<nn>   which records there are, a line each: ``<id> <object>``; a series only
                             grows. ``-`` for the object: the id is taken, its record will follow
everything else              the newest records of each series as files, laid out as
                             `stagekit.ledger.files` does; an older one is an object of an earlier
                             commit, found by the index

So a clone of the newest commit alone knows every id, however many there are, and what it needs of
the older records is asked for by object. A push that is no fast-forward is refused by git: that is
the compare-and-swap by which no id is given twice.
"""
