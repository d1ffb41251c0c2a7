"""Ordinary weather: years of blips, deploys, gray hours and troubled observers, probe by probe, and now and then a real
loss. Production `detect` and `decide`, unchanged, see what the vantages see; each decision is held against the truth.

events     what can happen: one event, and who feels it
climate    what the weather is: its kinds, how often each comes, and a forecast drawn from them
series     what one vantage sees: looks, the runs of bad ones among them, and production's count of the answers
truth      what users had: when a region is down, and which failovers are right, early or false
decider    who hears the answers and asks `decide`; what became of the application
judging    which losses had to be acted on, and were missed
outcome    what one year gave
playing    one year, from its events to its outcome
totals     many years

**What is skipped, and why nothing is lost by it.** In a year nearly every answer is the one before, again. Such an
answer changes no vantage's mind, only how fresh it is: `Count.at` (and `run`, which is compared with `fall` and `rise`
only while the mind is not made up). So as soon as production's own count says that a series of answers has *settled*
(its mind is what it sees), the answers up to the next change are not folded one by one: `at` is set to what it would
be. For the same reason fewer than `fall` bad answers in the midst of good ones are left out. `decide` is asked when
a voice changes, at the end of the hold-down, of the warm-up, of the cool-down and of a run, when an answer grows stale,
and every minute while the primary is down; in between nothing that it looks at changes. A situation in which the
primary is not down and the same vantages say the same is not asked twice. `every_answer=True` leaves out none of this,
and a test compares. Production's watcher polls twice a second; here the end of a hold-down is met exactly, so a
failover comes up to half a second earlier than it would, never later.

Not here: what no observer can see (users fail and no check does), and common causes for several vantages' paths.
A year is drawn from its seed alone, which is written on every finding: `year(seed)` plays it again.
"""

from cloudfail.testing.simulation.weather.climate import CLIMATE, Kind, Sky, forecast
from cloudfail.testing.simulation.weather.events import DAY, EVERYWHERE, HOUR, MINUTE, PLACES, YEAR, Effect, Event
from cloudfail.testing.simulation.weather.outcome import Act, Finding, Loss, Year
from cloudfail.testing.simulation.weather.playing import ordinary, play, year
from cloudfail.testing.simulation.weather.totals import Weather, weather
from cloudfail.testing.simulation.weather.truth import down_for_users

__all__ = [
    "CLIMATE",
    "DAY",
    "EVERYWHERE",
    "HOUR",
    "MINUTE",
    "PLACES",
    "YEAR",
    "Act",
    "Effect",
    "Event",
    "Finding",
    "Kind",
    "Loss",
    "Sky",
    "Weather",
    "Year",
    "down_for_users",
    "forecast",
    "ordinary",
    "play",
    "weather",
    "year",
]
