// The grid: only the photos in sight are in the page, and only a few pictures load at a time.
import { describe, loading, photos, thumbnail, verdictOf } from "./photos.js";
import { describeMark, drawMark } from "./marks.js";
import { makeCards } from "./cards.js";
import { view } from "./view.js";

const AT_ONCE = 4; // of the six requests that a browser makes, so that marks never wait

const grid = document.getElementById("grid");
const template = document.getElementById("card").content.firstElementChild;
export const chosen = new Set(); // numbers of photos to be compared
export const active = { photo: -1 };

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

const cards = makeCards(grid, {
  size: () => 240,
  share: 0.72,
  text: { wide: 60, narrow: 76 },
  count: () => view.shown.length,
  make: makeCard,
  placed: (item) => {
    const photo = Number(item.dataset.photo);
    if (photos[photo].error == null) wantPicture(item.querySelector("img"), thumbnail(photo));
  },
  drop: (item) => letGo(item.querySelector("img")),
  moved: (item) => { active.photo = Number(item.dataset.photo); },
});
export const { goTo } = cards;
export const activePlace = () => cards.active;

// The list has changed.
export function redraw() {
  const focused = grid.contains(document.activeElement);
  cards.keep((index, item) => view.shown[index] === Number(item.dataset.photo));
  const found = view.shown.indexOf(active.photo);
  cards.active = found >= 0 ? found : Math.max(0, Math.min(cards.active, view.shown.length - 1));
  active.photo = view.shown[cards.active] ?? -1;
  cards.layOut();
  if (focused && active.photo >= 0) goTo(cards.active);
}

function makeCard(index) {
  const photo = view.shown[index];
  const item = template.cloneNode(true);
  item.dataset.photo = String(photo);
  const card = item.firstElementChild;
  card.title = photos[photo].path;
  card.querySelector(".name").textContent = photos[photo].name;
  const note = card.querySelector(".finding");
  note.classList.add(verdictOf(photo));
  note.lastElementChild.textContent = describe(photo);
  dress(item, photo);
  return item;
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
  for (const item of cards.items.values()) {
    const photo = Number(item.dataset.photo);
    if (wanted.has(photo)) dress(item, photo);
  }
}

export function choose(photo) {
  if (!chosen.delete(photo)) chosen.add(photo);
  redress([photo]);
}

// --- moving ----------------------------------------------------------------------------------------------------

export function step(key) {
  const by = cards.step(key);
  if (by === undefined) return false;
  // The first arrow only says where one is.
  goTo(cards.active + (grid.contains(document.activeElement) ? by : 0));
  return true;
}

export function onOpen(open) {
  grid.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item) return;
    const photo = Number(item.dataset.photo);
    if (event.ctrlKey || event.metaKey) choose(photo);
    else open(photo);
  });
}

export function summarize() {
  const flags = { pick: 0, reject: 0 };
  for (const { mark } of photos) if (mark.flag) flags[mark.flag]++;
  const count = loading.done ? `${photos.length} photos` : `${photos.length} of ${loading.total} photos looked at`;
  document.getElementById("summary").textContent = `${count} · ${flags.pick} picked · ${flags.reject} rejected`;
}
