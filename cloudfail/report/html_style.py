"""The style sheet of the HTML reports. Text on its ground has a contrast of at least 4.5 : 1, in light and in dark."""

STYLE = """\
:root { --ground: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --panel: #f6f8fa;
  --good: #116329; --bad: #a40e26; --warn: #7d4e00; --acks: #1a7f37; --outage: #ffebe9; --felt: #cf222e;
  --phase: #0550ae; --step: #57606a; --owed: #9a6700; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --panel: #161b22;
    --good: #56d364; --bad: #ff8f88; --warn: #e3b341; --acks: #3fb950; --outage: #3d1519; --felt: #f85149;
    --phase: #58a6ff; --step: #8b949e; --owed: #d29922; } }
@media print {
  :root { --ground: #ffffff; --ink: #000000; --soft: #333333; --line: #999999; --panel: #ffffff;
    --good: #116329; --bad: #a40e26; --warn: #7d4e00; --acks: #1a7f37; --outage: #ffe3e0; --felt: #cf222e;
    --phase: #0550ae; --step: #57606a; --owed: #9a6700; }
  body { font-size: 10pt; } figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
  main { max-width: none; padding: 0; } .scroll { overflow: visible; } main svg.timeline { min-width: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 20px 60px; overflow-wrap: break-word; }
h1 { font-size: 24px; line-height: 1.3; margin: 8px 0 4px; } h2 { font-size: 17px; margin: 34px 0 8px; }
.lead, figcaption, caption { color: var(--soft); } figcaption, caption { font-size: 13px; text-align: left; }
.verdict { display: inline-block; margin: 0; padding: 2px 12px; border: 2px solid; border-radius: 4px; font-weight: 700;
  letter-spacing: 0.06em; color: var(--warn); }
.verdict.passed, .verdict.phase-done { color: var(--good); } .verdict.failed { color: var(--bad); }
figure { margin: 0 0 18px; } figcaption { margin-top: 4px; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--phase); }
svg.timeline { display: block; width: 100%; min-width: 720px; height: auto; background: var(--panel);
  border: 1px solid var(--line); border-radius: 6px; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink);
  font-variant-numeric: tabular-nums; }
svg .tick, svg .took, svg .group { fill: var(--soft); } svg .group { font-size: 11px; }
svg .took { paint-order: stroke; stroke: var(--panel); stroke-width: 3px; stroke-linejoin: round; }
svg .took.inside { fill: var(--ground); stroke: none; }
svg .grid { stroke: var(--line); stroke-dasharray: 2 3; } svg .floor { stroke: var(--line); }
svg .acks { fill: var(--acks); } svg .outage { fill: var(--outage); }
svg .felt { fill: var(--felt); } svg .phase { fill: var(--phase); } svg .step { fill: var(--step); }
svg .bar.is-owed { fill: var(--owed); } svg .bar.is-failed { fill: var(--felt); }
svg .bar.is-open { stroke: var(--ink); stroke-dasharray: 3 2; fill-opacity: 0.45; }
svg .bar.felt { fill-opacity: 1; stroke: none; }
svg line.mark { stroke: var(--ink); stroke-width: 1.2; } svg line.mark.moment { stroke: var(--soft); }
svg line.mark.fault, svg line.mark.return { stroke: var(--bad); } svg line.mark.return { stroke-dasharray: 5 3; }
svg text.mark.fault, svg text.mark.return { fill: var(--bad); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
table.figures { width: auto; min-width: 60%; }
th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 500; white-space: nowrap; }
.figures td, .figures thead th { text-align: right; padding-left: 24px; }
.part th { padding-left: 20px; font-weight: 400; color: var(--soft); }
.figures tbody tr:last-child > * { font-weight: 700; border-bottom: none; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 20px; margin: 0; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.ways dd { margin: 0 0 8px 0; color: var(--soft); }
code { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; background: var(--panel);
  border: 1px solid var(--line); border-radius: 4px; padding: 1px 6px; }
@media (max-width: 600px) { dl.facts { grid-template-columns: 1fr; } dl.facts dd { margin-bottom: 6px; } }
"""
