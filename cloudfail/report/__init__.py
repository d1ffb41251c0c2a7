"""Plans, runs, drills and status as people read them: values in, text out. Nothing here prints or asks for the time.

wording   numbers, times and other people's text; unknown is a word, never 0; secrets are `…`
layout    columns and wrapped lines in terminal cells
plan      a plan before anybody agrees to it
run       a run while it goes on and afterwards; one line for an interesting journal entry
phases    where a run's seconds went
status    an application as its log tells it; a table of its runs
drill     what clients felt in a drill, and the verdict against RTO and RPO
timeline  a drill or a run as a picture (SVG)
html      a drill or a run as one file that needs nothing else
"""
