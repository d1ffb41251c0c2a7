"""The public test kit: a clock that jumps, a cloud that can fail in every way, suites that say what "supported" means.

clock         VirtualClock
fakecloud     FakeCloud: regions, databases, names and workers in memory; faults from outside
fakeworld     its ports, and the World that actions see
provider      FakeProvider: any provider's kinds, so that real files load and plan
crash         a process that dies before or after any append and any effect
store_suite   what every store must hold
conformance   what every provider's ports must hold
"""
