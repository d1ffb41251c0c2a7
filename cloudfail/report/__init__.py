"""Plans, runs, drills and status as people read them: values in, text out. Nothing here prints or asks for the time.

wording    numbers, times and other people's text; unknown is a word, never 0; secrets are `…`
layout     columns and wrapped lines in terminal cells
plan       a plan before anybody agrees to it
situation  what a run does, holds and owes, and what can be typed now
run        a run while it goes on and afterwards
progress   one line for a journal entry that a person waits for
status     an application as its log tells it; a table of its runs
phases     where a run's seconds went
outcome    what clients felt in a drill, and the verdict against RTO and RPO
drill      that as one table, and as JSON
timeline   a drill or a run as a picture (SVG)
html       a drill or a run as one file that needs nothing else
"""
