"""Looking at a region from outside: each probe asks once and answers healthy, down or unknown.

look      one look with a deadline, and whose fault it was when it failed
http, tcp, sql     the kinds of look
targets   which literal target each check has in each region
observer  the process that looks again and again from one vantage
"""
