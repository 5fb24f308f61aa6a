// The blind pass: photos in a shuffled order, without names and scores; P keeps, X doesn't.
import { get, post, say, tell } from "./api.js";

const find = (id) => document.getElementById(id);
const view = find("view");
const photo = find("photo");
const state = { ratings: [], at: 0, zoomed: false };

function draw() {
  const { ratings, at } = state;
  const over = at >= ratings.length;
  document.querySelector("main").hidden = over;
  find("end").hidden = !over;
  if (over) {
    find("again").focus();
    return;
  }
  setZoom(false);
  const rated = ratings.filter(Boolean).length;
  find("progress").textContent = `${at + 1} of ${ratings.length} · ${rated} judged`;
  find("keep").setAttribute("aria-pressed", String(ratings[at] === "keep"));
  find("reject").setAttribute("aria-pressed", String(ratings[at] === "reject"));
  find("back").disabled = at === 0;
  for (const next of [at + 1, at + 2]) if (next < ratings.length) new Image().src = `/picture/${next}/preview`;
  view.focus();
}

async function rate(word) {
  const { at } = state;
  const before = state.ratings[at];
  state.ratings[at] = word;
  state.at = at + 1;
  draw();
  try {
    await post("/api/rate", { photo: at, keep: word }, { keepalive: true });
    say(word === "keep" ? "kept" : "not kept");
  } catch (error) {
    state.ratings[at] = before;
    state.at = at;
    draw();
    tell(error.message);
  }
}

function step(by) {
  state.at = Math.max(0, Math.min(state.ratings.length, state.at + by));
  draw();
}

async function setZoom(on) {
  const { at } = state;
  state.zoomed = on;
  find("zoom").setAttribute("aria-pressed", String(on));
  view.classList.toggle("zoomed", on);
  photo.style.width = "";
  photo.src = `/picture/${at}/${on ? "full" : "preview"}`;
  if (!on) return;
  try {
    const [place] = await Promise.all([get(`/api/photo/${at}/sharpest`), photo.decode()]);
    if (!state.zoomed || state.at !== at) return;
    photo.style.width = `${photo.naturalWidth / devicePixelRatio}px`;
    view.scrollTo(place[0] * photo.clientWidth - view.clientWidth / 2, place[1] * photo.clientHeight - view.clientHeight / 2);
  } catch (error) {
    tell(error.message);
  }
}

// An image can't say why it failed; the server can.
photo.addEventListener("error", async () => {
  try {
    await get(photo.src);
  } catch (error) {
    tell(error.message);
  }
});

const keys = {
  p: () => rate("keep"), x: () => rate("reject"), z: () => setZoom(!state.zoomed),
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const over = state.at >= state.ratings.length;
  if (!keys[key] || (over && key !== "ArrowLeft") || (state.zoomed && key.startsWith("Arrow"))) return;
  event.preventDefault();
  keys[key]();
});
view.addEventListener("click", () => setZoom(!state.zoomed));
find("keep").addEventListener("click", keys.p);
find("reject").addEventListener("click", keys.x);
find("zoom").addEventListener("click", keys.z);
find("back").addEventListener("click", keys.ArrowLeft);
find("again").addEventListener("click", keys.ArrowLeft);

try {
  const { file, ratings } = await get("/api/blind");
  state.ratings = ratings;
  find("file").textContent = find("file-again").textContent = file;
  const next = ratings.findIndex((rating) => !rating);
  state.at = next < 0 ? ratings.length : next;
  draw();
} catch (error) {
  tell(error.message);
}
