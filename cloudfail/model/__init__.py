"""What cloudfail knows, as frozen values. This package imports nothing but the standard library.

topology     what the application is made of, and where
policy       what automation may do, and how sure it must be
runbook      the ordered steps that people write
observation  what was seen, by whom, and the verdict that follows
states       what a provider's read says of one resource
plan         a runbook bound to a decision: immutable, with a checksum
journal      the entries of the application log, and the commands that people append
"""
