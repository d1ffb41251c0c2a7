"""Plan + journal entries -> next commands; what was seen -> new entries. Pure: `t` is an argument, nothing is called.

lifecycle   the state machine of a run, as a table
state       what a log says: the fold of its entries
next        what to do now: look, act, append, or wait
"""
