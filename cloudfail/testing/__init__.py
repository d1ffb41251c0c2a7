"""The public test kit: a clock that jumps, a cloud that can fail in every way, suites that say what "supported" means.

clock         VirtualClock
fakecloud     FakeCloud, FakeProvider: real implementations of the ports, in memory
crash         a process that dies before or after any append and any effect
store_suite   what every store must hold
conformance   what every provider's ports must hold
"""
