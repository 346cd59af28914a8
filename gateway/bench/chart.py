"""Draws a chart into a PNG or SVG file, with matplotlib (the extra `plot`).

The command line loads this module only when `--plot` is given, and says what to install when matplotlib is missing.
"""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, NullFormatter

from gateway.bench.plan import BenchError
from gateway.bench.report import Chart

INCHES = (8.0, 4.8)
DOTS_PER_INCH = 130
NOTE = 0.03
"""The part of the height that is left for the note below the chart."""
MARKERS = "osD^vPX*"
SHORT_SPAN = 30.0
MOST_TICK_WORDS = 24
"""Longer names of x values are set at an angle."""


def draw(chart: Chart, path: Path) -> None:
    """Write the chart. Raises BenchError when the file cannot be written or its ending names no picture format."""
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout=ConstrainedLayoutEngine(rect=(0, NOTE, 1, 1 - NOTE)))
    axes = figure.add_subplot()
    _lines(axes, chart)
    _scales(axes, chart)
    axes.set_title(chart.title)
    axes.grid(visible=True, alpha=0.3)
    figure.text(0.995, 0.005, chart.note, ha="right", va="bottom", fontsize=6, color="0.4")
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}") from error


def _lines(axes: Axes, chart: Chart) -> None:
    for place, (name, points) in enumerate(chart.lines.items()):
        xs, ys = [x for x, _ in points], [y for _, y in points]
        style, size = ("", 8) if chart.points else ("-", 4)
        axes.plot(xs, ys, linestyle=style, marker=MARKERS[place % len(MARKERS)], markersize=size, label=name)
    if chart.line is not None:
        axes.axhline(chart.line, color="0.4", linewidth=1)
    if chart.lines:
        axes.legend()


def _scales(axes: Axes, chart: Chart) -> None:
    """Plain numbers at the axes: nobody has to read powers of ten."""
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(plain if _is_short(axes) else NullFormatter())
    if chart.ticks:
        long = any(len(words) > MOST_TICK_WORDS for words in chart.ticks)
        axes.set_xticks(
            range(len(chart.ticks)), chart.ticks, rotation=20 if long else 0, ha="right" if long else "center"
        )
    else:
        axes.xaxis.set_major_formatter(plain)


def _is_short(axes: Axes) -> bool:
    """Whether a logarithmic axis spans so little that its powers of ten alone would say nothing."""
    low, high = axes.get_ylim()
    return axes.get_yscale() == "log" and high / low < SHORT_SPAN
