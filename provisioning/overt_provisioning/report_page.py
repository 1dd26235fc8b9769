"""What stands around the rows of the HTML report."""

HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Watchlist report - must not leave the office</title>
<style>
:root { color-scheme: light; }
body { font: 1rem/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 70rem;
  padding: 0 1.5rem 3rem; }
h1 { font-size: 1.7rem; margin: 1.5rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; border-bottom: 2px solid #1a1a1a; }
h3 { font-size: 1em; margin: 0; overflow-wrap: anywhere; }
a { color: #003c82; }
a:focus-visible { outline: 3px solid #b30059; outline-offset: 2px; }
.warning { border: 3px solid #8c0000; padding: .7rem 1rem; }
.warning strong { color: #8c0000; }
nav ul { display: flex; gap: 1.5rem; list-style: none; padding: 0; flex-wrap: wrap; }
table { border-collapse: collapse; margin: 0 0 1.2rem; }
caption { text-align: left; font-weight: bold; padding: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid #8a8a8a; }
.facts th { font-weight: normal; color: #444; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
ol.rows, ol.faces { list-style: none; padding: 0; }
ol.rows li { display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; padding: .9rem 0;
  border-bottom: 1px solid #8a8a8a; break-inside: avoid; }
ol.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
ol.faces li { display: grid; grid-template-columns: 7rem 1fr; gap: .8rem; break-inside: avoid; }
li img { max-width: 100%; max-height: 11rem; width: auto; height: auto;
  align-self: start; justify-self: start; border: 1px solid #8a8a8a; }
.none { border: 1px dashed #6b6b6b; color: #4d4d4d; width: 7rem; height: 7rem; display: grid; place-content: center; }
.file { margin: 0 0 .4rem; color: #4d4d4d; font-size: .9em; overflow-wrap: anywhere; }
li p { margin: 0; }
dl { margin: 0; }
dt { font-weight: bold; color: #8c0000; }
dt.note { color: #003c82; }
dd { margin: 0; overflow-wrap: anywhere; }
dd + dd { margin-bottom: .5rem; }
dd + dd::before { content: "What to do: "; font-weight: bold; }
@media (max-width: 40rem) {
  body { padding: 0 1rem 2rem; }
  ol.rows li { grid-template-columns: 1fr; }
  ol.faces { grid-template-columns: 1fr; }
  .reasons thead { position: absolute; clip-path: inset(50%); }
  .reasons tr { display: block; padding: .5rem 0; border-bottom: 1px solid #8a8a8a; }
  .reasons th, .reasons td { display: block; border: 0; padding: 0; text-align: left; }
  .reasons td:empty { display: none; }
  .reasons td[data-name]::before { content: attr(data-name); }
}
@page { margin: 15mm; @bottom-center {
  content: "Holds images of people. Must not leave the office."; font: 9pt sans-serif; } }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2 { break-after: avoid; }
  ol.faces { grid-template-columns: repeat(3, 1fr); }
  ol.faces li { grid-template-columns: 4.5rem 1fr; }
}
</style>
</head>
<body>
<header>
<h1>Watchlist report</h1>
<p class="warning" role="note"><strong>This file holds images of people. It must not leave the office.</strong>
Do not send it, copy it to a unit or a control room, or print it for anyone outside. Delete it once the list has been
made, as the list itself will be deleted after the deployment (O7).</p>
<nav aria-label="Parts of this report"><ul>
<li><a href="#summary">Summary</a></li><li><a href="#refused">Refused</a></li>
<li><a href="#accepted">Accepted</a></li></ul></nav>
</header>
<main>
"""

FOOT = """\
</main>
<footer><p>End of the report. It holds images of people and must not leave the office.</p></footer>
</body>
</html>
"""
