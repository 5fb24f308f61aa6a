"""The panel: one picture of a photo, its heat maps and its scores, as in the paper's figure 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from photodefect.core.reduced import Reduced
from photodefect.defects import BY_KEY, DEFECTS
from photodefect.heatmap import legend
from photodefect.heatmap.heat_map import HeatMap, HeatMaps
from photodefect.heatmap.overlay import (
    OVER,
    UNCLEAR,
    UNCLEAR_OPACITY,
    UNDER,
    Colour,
    colour_of,
    lay_over,
    opacity,
)
from photodefect.printable import printable

BACKGROUND: Final[Colour] = (23, 25, 29)
TRACK: Final[Colour] = (50, 54, 61)
TEXT: Final[Colour] = (234, 235, 238)
MUTED: Final[Colour] = (158, 162, 170)

MARGIN: Final = 40
GAP: Final = 28
# Heights of the text above all, of a score, of the text below a map, and of the legend.
HEADER: Final = 64
SCORE_LINE: Final = 38
CAPTION: Final = 68
FOOTER: Final = 46


@dataclass(frozen=True)
class _Sizes:
    """Where things go: sizes in pixels."""

    map: tuple[int, int]
    photo: tuple[int, int]
    columns: int
    rows: int

    @property
    def cell_width(self) -> int:
        """Of a map with its caption."""
        return max(self.map[0], LEAST_WIDTH)

    @property
    def photo_width(self) -> int:
        """Of the photo with its scores."""
        return max(self.photo[0], round(LEAST_WIDTH * PHOTO_SHARE))

    @property
    def grid_height(self) -> int:
        return self.rows * (self.map[1] + CAPTION) + (self.rows - 1) * GAP

    @property
    def width(self) -> int:
        grid = self.columns * self.cell_width + (self.columns - 1) * GAP
        return 2 * MARGIN + self.photo_width + GAP + grid

    def height(self, scores: int) -> int:
        """Of the whole panel."""
        left = self.photo[1] + GAP + scores * SCORE_LINE
        return 2 * MARGIN + HEADER + max(left, self.grid_height) + FOOTER


def panel(
    photo: Reduced,
    made: HeatMaps,
    severities: Mapping[str, float] | None = None,
    *,
    title: str = "",
    note: str = "",
) -> Image.Image:
    """Draw a photo, its maps and its scores.

    Args:
        photo: makes smaller pictures of it.
        made: its maps.
        severities: diagnosed severities by defect key, drawn as bars; None leaves them out.
        title: above all, e.g. the file's name.
        note: small, below all, beside the legend.

    Returns:
        An RGB picture about 2,200 pixels wide.
    """
    sizes = _sizes(made)
    shown = [defect for defect in DEFECTS if severities is not None and defect.key in severities]
    canvas = Image.new("RGB", (sizes.width, sizes.height(len(shown))), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    _text(draw, (MARGIN, MARGIN - 4), printable(title), 32, TEXT, room=sizes.width - 2 * MARGIN)

    top = MARGIN + HEADER
    picture = photo.image(sizes.photo, Image.Resampling.LANCZOS)
    canvas.paste(picture, (MARGIN, top))
    y = top + sizes.photo[1] + GAP
    for defect in shown:
        _score(draw, (MARGIN, y), sizes.photo_width, defect.key, (severities or {})[defect.key])
        y += SCORE_LINE

    grey = picture.convert("L").resize(sizes.map, Image.Resampling.LANCZOS)
    left = MARGIN + sizes.photo_width + GAP
    for index, key in enumerate(_mapped(made)):
        row, column = divmod(index, sizes.columns)
        x = left + column * (sizes.cell_width + GAP)
        y = top + row * (sizes.map[1] + CAPTION + GAP)
        heatmap = made.maps.get(key)
        below = (x, y + sizes.map[1] + 10)
        if heatmap is None:
            draw.rectangle((x, y, x + sizes.map[0] - 1, y + sizes.map[1] - 1), TRACK)
            _caption(draw, below, sizes.cell_width, (BY_KEY[key].short_title, "no map", made.without[key]))
        else:
            canvas.paste(lay_over(grey, heatmap), (x, y))
            number = "" if heatmap.photo is None else heatmap.defect.format(heatmap.photo)
            _caption(draw, below, sizes.cell_width, (heatmap.defect.short_title, number, heatmap.describe()))
    _legend(draw, canvas.size, note, list(made.maps.values()))
    return canvas


def _mapped(made: HeatMaps) -> list[str]:
    """Keys of the defects that have a map, and of those that would have one of another photo."""
    return [defect.key for defect in DEFECTS if defect.key in made.maps or defect.key in made.without]


# Most that a map takes, width and height; the least that it takes with its caption, however narrow the photo.
MAP_BOX: Final = (460, 460)
LEAST_WIDTH: Final = 300

# Size of the photo against that of a map; maps in a row.
PHOTO_SHARE: Final = 1.5
COLUMNS: Final = 3


def _sizes(made: HeatMaps) -> _Sizes:
    scale = min(MAP_BOX[0] / made.width, MAP_BOX[1] / made.height)
    map_size = (max(1, round(made.width * scale)), max(1, round(made.height * scale)))
    photo = (round(map_size[0] * PHOTO_SHARE), round(map_size[1] * PHOTO_SHARE))
    count = len(_mapped(made))
    columns = min(COLUMNS, count)
    return _Sizes(
        map=map_size,
        photo=photo,
        columns=columns,
        rows=-(-count // columns),
    )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: Colour,
    *,
    room: float | None = None,
    anchor: str = "la",
) -> None:
    """Write one line; what doesn't fit into the room is cut in the middle."""
    font = _font(size)
    whole = text
    keep = len(text)
    while room is not None and keep > 3 and draw.textlength(text, font) > room:
        keep -= 1
        text = f"{whole[: keep // 2]}…{whole[len(whole) - (keep - keep // 2) :]}"
    draw.text(place, text, colour, font, anchor=anchor)


def _score(draw: ImageDraw.ImageDraw, place: tuple[int, int], width: int, key: str, severity: float) -> None:
    """Name, bar and number of one severity; the bar of a signed one starts in the middle."""
    x, y = place
    defect = BY_KEY[key]
    name, number = 240, 84
    _text(draw, (x, y), defect.short_title, 23, TEXT, room=name - 8)
    _text(draw, (x + width, y), defect.format(severity), 23, TEXT, anchor="ra")
    left, right = x + name, x + width - number
    draw.rounded_rectangle((left, y + 7, right, y + 21), 7, TRACK)
    zero = left + (right - left) * (0 - defect.lowest) / (1 - defect.lowest)
    end = left + (right - left) * (severity - defect.lowest) / (1 - defect.lowest)
    if abs(end - zero) >= 1:
        draw.rounded_rectangle((min(zero, end), y + 7, max(zero, end), y + 21), 7, colour_of(severity))
    if defect.signed:
        draw.line((zero, y + 4, zero, y + 24), MUTED, 2)


def _caption(draw: ImageDraw.ImageDraw, place: tuple[int, int], width: int, texts: tuple[str, str, str]) -> None:
    """Below a map: the defect, at the right the photo's severity, and below how the map was made."""
    x, y = place
    title, right, below = texts
    _text(draw, (x, y), title, 24, TEXT, room=width - 130)
    _text(draw, (x + width, y), right, 20, TEXT, anchor="ra")
    _text(draw, (x, y + 32), below, 18, MUTED, room=width)


# Level of the photo that the legend's colours lie over.
LEGEND_GREY: Final = 110


def _legend(draw: ImageDraw.ImageDraw, size: tuple[int, int], note: str, maps: Sequence[HeatMap]) -> None:
    """What the colours mean, and a note at the right."""
    y = size[1] - MARGIN - 4
    x: float = MARGIN
    for swatch, text in _meanings(maps):
        for step, colour in enumerate(swatch):
            draw.line((x + step, y - 14, x + step, y), colour)
        x += len(swatch) + 10 if swatch else 0
        _text(draw, (x, y + 3), text, 18, MUTED, anchor="ls")
        x += draw.textlength(text, _font(18)) + GAP
    _text(draw, (size[0] - MARGIN, y + 3), printable(note), 18, MUTED, room=size[0] - MARGIN - x, anchor="rs")


def _meanings(maps: Sequence[HeatMap]) -> list[tuple[list[Colour], str]]:
    """Colours, side by side, and what they mean."""
    shares = [opacity(step / 79) for step in range(80)]
    found = [([_over_grey(OVER, share) for share in shares], legend.OVER)]
    if any(heatmap.defect.signed for heatmap in maps):
        found.append(([_over_grey(UNDER, share) for share in shares], f"saturation: {legend.TOO_LITTLE}"))
    if any(heatmap.unclear is not None for heatmap in maps):
        found.append(([_over_grey(UNCLEAR, UNCLEAR_OPACITY)] * 40, legend.UNCLEAR))
    if any(heatmap.photo is not None for heatmap in maps):
        found.append(([], legend.SCALE))
    return found


def _over_grey(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(LEGEND_GREY + (channel - LEGEND_GREY) * share) for channel in colour)
    return red, green, blue
