// A grid of cards of which only those in sight are in the page, and in which keys move from one to the next: the same in
// the report and in the review.
const SPARE_ROWS = 2;

// `size()` is how wide a card should be; its picture is `share` times as high as it is wide, and its text takes
// `text.wide` or `text.narrow` pixels below. `count()` says how many cards there are. `make(index)` gives the list item of
// one, with a button in it; `placed(item)` and `drop(item)` hear that it is in the page, and that it goes. `moved(item)`
// hears at which one the person is.
export function makeCards(grid, { size, share, text, count, make, placed = () => {}, drop = () => {}, moved = () => {} }) {
  const items = new Map(); // place -> list item
  const place = { columns: 1, width: 0, height: 0, gap: 14, rowHeight: 0 };
  const cards = { items, place, active: 0, layOut, keep, goTo, step };

  function layOut() {
    const width = grid.clientWidth;
    const phone = width < 560;
    place.gap = phone ? 10 : 14;
    const fitting = Math.floor((width + place.gap) / (size() + place.gap));
    place.columns = Math.max(phone && size() <= 260 ? 2 : 1, fitting);
    place.width = (width - place.gap * (place.columns - 1)) / place.columns;
    const narrow = place.width < 215;
    const picture = Math.round(place.width * share);
    place.height = picture + (narrow ? text.narrow : text.wide);
    place.rowHeight = place.height + place.gap;
    grid.classList.toggle("narrow", narrow);
    grid.style.setProperty("--card-width", `${place.width}px`);
    grid.style.setProperty("--photo-height", `${picture}px`);
    grid.style.setProperty("--card-height", `${place.height}px`);
    const rows = Math.ceil(count() / place.columns);
    grid.style.height = `${Math.max(0, rows * place.rowHeight - place.gap)}px`;
    for (const [index, item] of items) moveTo(item, index);
    draw();
  }

  function moveTo(item, index) {
    const x = (index % place.columns) * (place.width + place.gap);
    const y = Math.floor(index / place.columns) * place.rowHeight;
    item.style.transform = `translate(${x}px, ${y}px)`;
  }

  // Cards that are no longer wanted where they are go; the others stay as they are.
  function keep(wanted) {
    for (const [index, item] of items) {
      if (wanted(index, item)) continue;
      drop(item);
      item.remove();
      items.delete(index);
    }
  }

  function draw() {
    const top = -grid.getBoundingClientRect().top;
    const first = Math.max(0, (Math.floor(top / place.rowHeight) - SPARE_ROWS) * place.columns);
    const last = Math.min(count(), (Math.ceil((top + innerHeight) / place.rowHeight) + SPARE_ROWS) * place.columns);
    keep((index, item) => (index >= first && index < last) || item.contains(document.activeElement));
    for (let index = first; index < last; index++) if (!items.has(index)) add(index);
    // One card is reached by Tab: the active one, or the first in sight if that one is far away.
    const stop = cards.active >= first && cards.active < last ? cards.active : first;
    for (const [index, item] of items) item.firstElementChild.tabIndex = index === stop ? 0 : -1;
  }

  function add(index) {
    const item = make(index);
    item.dataset.place = String(index);
    item.setAttribute("aria-posinset", String(index + 1));
    item.setAttribute("aria-setsize", String(count()));
    moveTo(item, index);
    items.set(index, item);
    // In the order that a screen reader reads.
    const after = [...grid.children].find((other) => Number(other.dataset.place) > index);
    grid.insertBefore(item, after ?? null);
    placed(item);
  }

  function goTo(index, { focus = true } = {}) {
    if (!count()) return;
    cards.active = Math.min(count() - 1, Math.max(0, index));
    const start = grid.getBoundingClientRect().top + Math.floor(cards.active / place.columns) * place.rowHeight;
    const bar = document.querySelector(".toolbar").getBoundingClientRect().height + 12;
    if (start < bar) scrollBy({ top: start - bar, behavior: "instant" });
    else if (start + place.height > innerHeight - 12) scrollBy({ top: start + place.height - innerHeight + 12, behavior: "instant" });
    draw();
    const item = items.get(cards.active);
    if (item) moved(item);
    if (focus) item?.firstElementChild.focus({ preventScroll: true });
  }

  // How far a key goes; undefined for one that doesn't move.
  function step(key) {
    const perPage = Math.max(1, Math.floor(innerHeight / place.rowHeight)) * place.columns;
    return {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: place.columns, ArrowUp: -place.columns,
      PageDown: perPage, PageUp: -perPage, Home: -Infinity, End: Infinity,
    }[key];
  }

  for (const kind of ["focusin", "click"]) {
    grid.addEventListener(kind, (event) => {
      const item = event.target.closest("li");
      if (!item) return;
      cards.active = Number(item.dataset.place);
      moved(item);
    });
  }
  let drawing = 0;
  const drawSoon = () => { drawing ||= requestAnimationFrame(() => { drawing = 0; draw(); }); };
  addEventListener("scroll", drawSoon, { passive: true });
  addEventListener("resize", drawSoon);
  let lastWidth = 0;
  new ResizeObserver(() => {
    if (grid.clientWidth === lastWidth) return;
    lastWidth = grid.clientWidth;
    layOut();
  }).observe(grid);
  return cards;
}
