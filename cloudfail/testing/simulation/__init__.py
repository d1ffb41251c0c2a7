"""A world in which failover can be tried a million times: the production code unchanged, everything else simulated.

hub         one virtual time for many machines; whoever waits lets the others run
machine     one process on one machine: its clocks (which may jump and drift), its calls, its death
store       the application log as one machine reaches it
cloud       SimCloud: FakeCloud with a data plane, clients, and effects that land late
network     who reaches what, in which direction
scenario    what happens in one seed, as a value that can be read, kept, cut down and played again
play        plays one scenario, and judges the history
checkers    the invariants I1 to I10 and L1 over a history
swarm       many seeds, on several cores, with the counts that say what was hit
weather     ordinary years, probe by probe, for detect and decide alone

Everything is drawn from the seed: the same seed gives the same history, on every machine.
"""
