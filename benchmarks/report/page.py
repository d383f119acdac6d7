# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The page index.html."""

from html import escape

from tables import text_columns

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem;
  color: #222; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
.wide { overflow-x: auto; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd;
  white-space: nowrap; }
th.text, td.text { text-align: left; } th { border-bottom: 2px solid #888; }
img { max-width: 100%; height: auto; } figure { margin: 1.5rem 0; } figcaption { color: #555; }
.note { border-left: 4px solid #D55E00; padding: .5rem 1rem; background: #fdf3ec; }
"""


def table(header, rows):
    text = text_columns(header, rows)

    def line(tag, cells):
        return "<tr>" + "".join(
            f"<{tag}{' class=text' if is_text else ''}>{escape(cell)}</{tag}>"
            for cell, is_text in zip(cells, text)) + "</tr>"

    return ('<div class="wide"><table>\n' + line("th", header) + "\n"
            + "\n".join(line("td", row) for row in rows) + "\n</table></div>")


def page(title, notes, environment, plots, tables):
    """tables: (title, header, rows) of each."""
    parts = ["<!doctype html>", '<html lang="en"><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
             f"<h1>{escape(title)}</h1>"]
    parts += [f'<p class="note">{escape(note)}</p>' for note in notes]
    parts += [f'<figure><img src="{escape(name)}" alt="{escape(caption)}">'
              f"<figcaption>{escape(caption)}</figcaption></figure>" for name, caption in plots]
    for heading, header, rows in tables:
        parts += [f"<h2>{escape(heading)}</h2>", table(header, rows)]
    rows = [[key, str(value).lower() if isinstance(value, bool) else str(value)]
            for key, value in sorted(environment.items())]
    parts += ["<h2>Environment</h2>", table(["", ""], rows), "</html>"]
    return "\n".join(parts) + "\n"
