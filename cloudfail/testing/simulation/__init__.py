"""A world in which failover can be tried a million times: the production code unchanged, everything else simulated.

The world      hub (one virtual time), machine (a process, its clocks, its death), network (who reaches what),
               store (the log as one machine reaches it), cloud and intervals (clouds, rows, clients),
               ports (what is read)
What runs      process (the production App, Watcher and Engine on a machine), setups (which application and runbook)
What happens   scenario (one seed, as a value), play (from the beginning to the end, into a history)
Judging        checkers (the invariants, L1 and the rules over a history), swarm (many seeds, and what they hit)
For users      own and trial (their files, their seeds), felt, results, story, advice, faults: `cloudfail simulate`
Incidents      incident_file and incidents: outages that happened, as files
Search         search and search_*: every order of what can happen, up to a bound
Weather        weather: ordinary years, probe by probe, for detect and decide alone

Everything is drawn from the seed: the same seed gives the same history, on every machine.
"""
