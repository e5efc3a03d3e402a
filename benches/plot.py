"""Draws the tables of RESULTS.md as SVG files in `plots`; each picture names its heading, its columns and its axis."""

import pathlib
import re

import pygal

HERE = pathlib.Path(__file__).parent
STYLE = pygal.style.Style(background="white", plot_background="white", font_family="sans-serif")

# File, heading above the table, title, column of the horizontal axis, columns drawn.
PLOTS = [
    ("cpu-720p", "### H.264 720p, 1.3 Mb/s per participant", "CPU per composed second, 720p single layer, ms",
     "participants", ["worker ms/s", "GStreamer ms/s", "xstack ms/s"]),
    ("cpu-simulcast", "### H.264 simulcast q/h/f, 2.0 Mb/s per participant", "CPU per composed second, simulcast, ms",
     "participants", ["worker ms/s", "GStreamer ms/s", "xstack ms/s"]),
    ("capacity", "### H.264 simulcast, 4 participants each", "CPUs by running compositions",
     "compositions", ["CPUs"]),
    ("forwarding", "## Forwarding", "CPU of forwarding by subscribers, ms/s",
     "subscribers", ["now ms/s", "GStreamer ms/s"]),
]


def table_below(text, heading):
    """The first table below a heading: a dictionary of column to cells."""
    lines = text.split(f"{heading}\n", 1)[1].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *body = rows
    return {name: [row[index] for row in body] for index, name in enumerate(head)}


def number(cell):
    return float(re.match(r"-?[\d.]+", cell).group())


def draw(text, name, heading, title, across, columns):
    table = table_below(text, heading)
    chart = pygal.XY(title=title, x_title=across, style=STYLE, js=[], include_x_axis=True, width=800, height=450)
    chart.x_labels = [number(cell) for cell in table[across]]
    for column in columns:
        chart.add(column, [(number(x), number(y)) for x, y in zip(table[across], table[column])])
    chart.render_to_file(HERE / "plots" / f"{name}.svg")


def main():
    (HERE / "plots").mkdir(exist_ok=True)
    text = (HERE / "RESULTS.md").read_text()
    for plot in PLOTS:
        draw(text, *plot)


if __name__ == "__main__":
    main()
