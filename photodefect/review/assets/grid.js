// The grid: only the photos in sight are in the page, and only a few pictures load at a time.
import { describe, loading, photos, thumbnail, verdictOf } from "./photos.js";
import { describeMark, drawMark } from "./marks.js";
import { view } from "./view.js";

const SPARE_ROWS = 2;
const AT_ONCE = 4; // of the six requests that a browser makes, so that marks never wait

const grid = document.getElementById("grid");
const template = document.getElementById("card").content.firstElementChild;
const cards = new Map(); // place -> list item
const place = { columns: 1, width: 0, height: 0, gap: 14, rowHeight: 0 };
export const chosen = new Set(); // numbers of photos to be compared
export const active = { photo: -1, index: 0 };

// --- pictures --------------------------------------------------------------------------------------------------

const waiting = [];
let running = 0;
const underway = new Map(); // image -> what to do when it is over

function wantPicture(image, source) {
  image.dataset.source = source;
  waiting.push(image);
  loadPictures();
}

function loadPictures() {
  while (running < AT_ONCE && waiting.length) {
    const image = waiting.pop(); // the newest first: it is in sight
    if (!image.isConnected) continue;
    running++;
    let going = true;
    const over = () => {
      if (!going) return;
      going = false;
      running--;
      underway.delete(image);
      loadPictures();
    };
    underway.set(image, over);
    image.addEventListener("load", over, { once: true });
    image.addEventListener("error", () => { image.classList.add("missing"); over(); }, { once: true });
    image.src = image.dataset.source;
  }
}

// A card that is out of sight lets its request go, and frees its place.
function letGo(image) {
  const over = underway.get(image);
  if (!over) return;
  image.removeAttribute("src");
  over();
}

// --- cards -----------------------------------------------------------------------------------------------------

export function layOut() {
  const width = grid.clientWidth;
  const phone = width < 560;
  const size = 240;
  place.gap = phone ? 10 : 14;
  place.columns = Math.max(phone ? 2 : 1, Math.floor((width + place.gap) / (size + place.gap)));
  place.width = (width - place.gap * (place.columns - 1)) / place.columns;
  const narrow = place.width < 215;
  const photo = Math.round(place.width * 0.72);
  place.height = photo + (narrow ? 76 : 60);
  place.rowHeight = place.height + place.gap;
  grid.classList.toggle("narrow", narrow);
  grid.style.setProperty("--card-width", `${place.width}px`);
  grid.style.setProperty("--photo-height", `${photo}px`);
  grid.style.setProperty("--card-height", `${place.height}px`);
  const rows = Math.ceil(view.shown.length / place.columns);
  grid.style.height = `${Math.max(0, rows * place.rowHeight - place.gap)}px`;
  for (const [index, item] of cards) moveTo(item, index);
  drawCards();
}

function moveTo(item, index) {
  const x = (index % place.columns) * (place.width + place.gap);
  const y = Math.floor(index / place.columns) * place.rowHeight;
  item.style.transform = `translate(${x}px, ${y}px)`;
}

// The list has changed: cards that stay where they are stay as they are.
export function redraw() {
  const focused = grid.contains(document.activeElement);
  for (const [index, item] of cards) {
    if (view.shown[index] === Number(item.dataset.photo)) continue;
    letGo(item.querySelector("img"));
    item.remove();
    cards.delete(index);
  }
  const found = view.shown.indexOf(active.photo);
  active.index = found >= 0 ? found : Math.max(0, Math.min(active.index, view.shown.length - 1));
  active.photo = view.shown[active.index] ?? -1;
  layOut();
  if (focused && active.photo >= 0) goTo(active.index);
}

function drawCards() {
  const top = -grid.getBoundingClientRect().top;
  const first = Math.max(0, (Math.floor(top / place.rowHeight) - SPARE_ROWS) * place.columns);
  const last = Math.min(view.shown.length, (Math.ceil((top + innerHeight) / place.rowHeight) + SPARE_ROWS) * place.columns);
  for (const [index, item] of cards) {
    if ((index < first || index >= last) && !item.contains(document.activeElement)) {
      letGo(item.querySelector("img"));
      item.remove();
      cards.delete(index);
    }
  }
  for (let index = first; index < last; index++) if (!cards.has(index)) addCard(index);
  const stop = active.index >= first && active.index < last ? active.index : first;
  for (const [index, item] of cards) item.firstElementChild.tabIndex = index === stop ? 0 : -1;
}

function addCard(index) {
  const photo = view.shown[index];
  const item = template.cloneNode(true);
  item.dataset.place = String(index);
  item.dataset.photo = String(photo);
  item.setAttribute("aria-posinset", String(index + 1));
  item.setAttribute("aria-setsize", String(view.shown.length));
  const card = item.firstElementChild;
  card.title = photos[photo].path;
  card.querySelector(".name").textContent = photos[photo].name;
  const note = card.querySelector(".finding");
  note.classList.add(verdictOf(photo));
  note.lastElementChild.textContent = describe(photo);
  dress(item, photo);
  moveTo(item, index);
  cards.set(index, item);
  const after = [...grid.children].find((other) => Number(other.dataset.place) > index); // in the order that is read
  grid.insertBefore(item, after ?? null);
  if (photos[photo].error == null) wantPicture(card.querySelector("img"), thumbnail(photo));
}

function dress(item, photo) {
  const { name, mark } = photos[photo];
  const card = item.firstElementChild;
  card.classList.toggle("picked", mark.flag === "pick");
  card.classList.toggle("rejected", mark.flag === "reject");
  card.classList.toggle("chosen", chosen.has(photo));
  card.setAttribute("aria-label", `${name}, ${verdictOf(photo)}, ${describe(photo)}, ${describeMark(mark)}${chosen.has(photo) ? ", chosen" : ""}`);
  drawMark(card.querySelector(".marks"), mark);
}

export function redress(numbers) {
  const wanted = new Set(numbers);
  for (const item of cards.values()) {
    const photo = Number(item.dataset.photo);
    if (wanted.has(photo)) dress(item, photo);
  }
}

export function choose(photo) {
  if (!chosen.delete(photo)) chosen.add(photo);
  redress([photo]);
}

// --- moving ----------------------------------------------------------------------------------------------------

export function goTo(index, { focus = true } = {}) {
  if (!view.shown.length) return;
  active.index = Math.min(view.shown.length - 1, Math.max(0, index));
  active.photo = view.shown[active.index];
  const start = grid.getBoundingClientRect().top + Math.floor(active.index / place.columns) * place.rowHeight;
  const bar = document.querySelector(".toolbar").getBoundingClientRect().height + 12;
  if (start < bar) scrollBy({ top: start - bar, behavior: "instant" });
  else if (start + place.height > innerHeight - 12) scrollBy({ top: start + place.height - innerHeight + 12, behavior: "instant" });
  drawCards();
  if (focus) cards.get(active.index)?.firstElementChild.focus({ preventScroll: true });
}

export function step(key) {
  const perPage = Math.max(1, Math.floor(innerHeight / place.rowHeight)) * place.columns;
  const steps = {
    ArrowRight: 1, ArrowLeft: -1, ArrowDown: place.columns, ArrowUp: -place.columns,
    PageDown: perPage, PageUp: -perPage, Home: -Infinity, End: Infinity,
  };
  if (steps[key] === undefined) return false;
  // The first arrow only says where one is.
  if (!grid.contains(document.activeElement)) goTo(active.index);
  else goTo(active.index + steps[key]);
  return true;
}

export function onOpen(open) {
  grid.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item) return;
    active.index = Number(item.dataset.place);
    active.photo = Number(item.dataset.photo);
    if (event.ctrlKey || event.metaKey) choose(active.photo);
    else open(active.photo);
  });
}
grid.addEventListener("focusin", (event) => {
  const item = event.target.closest("li");
  if (!item) return;
  active.index = Number(item.dataset.place);
  active.photo = Number(item.dataset.photo);
});

let drawing = 0;
const drawSoon = () => { drawing ||= requestAnimationFrame(() => { drawing = 0; drawCards(); }); };
addEventListener("scroll", drawSoon, { passive: true });
addEventListener("resize", drawSoon);
let lastWidth = 0;
new ResizeObserver(() => {
  if (grid.clientWidth === lastWidth) return;
  lastWidth = grid.clientWidth;
  layOut();
}).observe(grid);

export function summarize() {
  const flags = { pick: 0, reject: 0 };
  for (const { mark } of photos) if (mark.flag) flags[mark.flag]++;
  const count = loading.done ? `${photos.length} photos` : `${photos.length} of ${loading.total} photos looked at`;
  document.getElementById("summary").textContent = `${count} · ${flags.pick} picked · ${flags.reject} rejected`;
}
