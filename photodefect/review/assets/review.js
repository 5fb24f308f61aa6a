// The page as a whole: keys, dialogs, and what happens when photos or marks come.
import { post, tell } from "./api.js";
import * as grid from "./grid.js";
import { change, mark, undo } from "./marks.js";
import { load, loadPhotos, on, photos } from "./photos.js";
import { current, enlarge, zoom, activate, stage } from "./stage.js";
import { fillCameras, fillChoices, onView, readAddress, refresh, view } from "./view.js";
import * as viewer from "./viewer.js";

const find = (id) => document.getElementById(id);
const root = document.documentElement;

onView(() => {
  // While a photo is looked at the list stays as it was; a photo that was marked doesn't go from under one's fingers.
  if (!viewer.isOpen()) grid.redraw();
  grid.summarize();
});
let stale = false;
on("more", () => { fillCameras(); refresh(); });
on("done", refresh);
on("marks", (numbers) => {
  grid.redress(numbers);
  grid.summarize();
  if (viewer.isOpen()) {
    viewer.drawMarks();
    stale = true;
  } else refresh();
});

grid.onOpen((photo) => viewer.open([photo]));
viewer.viewer.addEventListener("close", () => {
  root.style.overflow = "";
  grid.active.photo = current();
  if (stale) refresh();
  stale = false;
  grid.redraw();
  grid.goTo(grid.activePlace());
});

// --- marking -----------------------------------------------------------------------------------------------------

async function markWith(key, advance) {
  const open = viewer.isOpen();
  const photo = open ? current() : grid.active.photo;
  if (photo < 0) return;
  const fields = change(key, photos[photo].mark);
  const index = grid.activePlace();
  const kept = mark(photo, fields);
  if (advance && open) viewer.step(1);
  else if (advance && view.shown[index] === photo) grid.goTo(index + 1);
  await kept;
}

async function takeBack() {
  const photo = await undo();
  if (photo != null && !viewer.isOpen()) {
    const index = view.shown.indexOf(photo);
    if (index >= 0) grid.goTo(index);
  }
}

function compare() {
  if (viewer.isOpen()) return viewer.compare();
  const chosen = [...grid.chosen].slice(0, 4);
  if (chosen.length >= 2) return viewer.open(chosen, { held: 0 });
  if (grid.active.photo < 0) return undefined;
  viewer.open([grid.active.photo]);
  return viewer.compare();
}

// --- keys --------------------------------------------------------------------------------------------------------

const inGrid = {
  " ": () => grid.active.photo >= 0 && grid.choose(grid.active.photo),
  Enter: () => grid.active.photo >= 0 && viewer.open([grid.active.photo]),
  c: compare,
  z: () => { if (grid.active.photo >= 0) { viewer.open([grid.active.photo]); viewer.toggleZoom(); } },
  m: () => { if (grid.active.photo >= 0) { viewer.open([grid.active.photo]); viewer.nextMap(); } },
  b: () => { if (grid.active.photo >= 0) { viewer.open([grid.active.photo]); viewer.toggleStrip(true); } },
  "/": () => { find("search").focus(); find("search").select(); },
  "?": () => find("help").showModal(),
};
const inViewer = {
  ArrowRight: () => viewer.step(1),
  ArrowLeft: () => viewer.step(-1),
  c: compare,
  z: viewer.toggleZoom,
  m: viewer.nextMap,
  b: () => viewer.toggleStrip(),
  h: viewer.hold,
  "+": () => (zoom.on ? enlarge(1.25) : viewer.morePanes(1)),
  "-": () => (zoom.on ? enlarge(0.8) : viewer.morePanes(-1)),
  "?": () => find("help").showModal(),
};

// With Shift a digit gives another character; the key itself stays.
function keyOf(event) {
  if (/^Digit\d$/.test(event.code) && event.shiftKey) return event.code.at(-1);
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog.small[open]") || event.altKey) return;
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key === "?" ? "?" : keyOf(event);
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z") return;
    event.preventDefault();
    takeBack();
    return;
  }
  const open = viewer.isOpen();
  const onControl = event.target.matches("button:not(.card), summary, a");
  if (onControl && (key === " " || key === "Enter")) return;
  if (change(key, { label: null })) markWith(key, event.shiftKey);
  else if (open && key === "Tab" && viewer.comparing()) activate(stage.active + (event.shiftKey ? -1 : 1));
  else if ((open ? inViewer : inGrid)[key]) (open ? inViewer : inGrid)[key]();
  else if (open || !grid.step(event.key)) return;
  event.preventDefault();
});

// --- buttons -----------------------------------------------------------------------------------------------------

for (const button of viewer.viewer.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => {
    const { key } = button.dataset;
    const { flag, stars } = photos[current()].mark;
    // A second press takes it back, for there is no key for that on a phone.
    if (button.dataset.is === flag) markWith("u", false);
    else if (Number(key) === stars) markWith("0", false);
    else if (change(key, { label: null })) markWith(key, false);
    else inViewer[key]();
  });
}
find("previous").addEventListener("click", () => viewer.step(-1));
find("next").addEventListener("click", () => viewer.step(1));
find("close").addEventListener("click", () => viewer.viewer.close());
find("help-open").addEventListener("click", () => find("help").showModal());
find("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("photodefect-theme", root.dataset.theme);
});

// --- export ------------------------------------------------------------------------------------------------------

find("export-open").addEventListener("click", () => {
  const count = view.shown.length;
  find("export-count").textContent = `${count} ${count === 1 ? "photo is" : "photos are"} shown now, and will be exported.`;
  find("export").showModal();
});
for (const button of find("export").querySelectorAll("[data-format]")) {
  button.addEventListener("click", async () => {
    try {
      const answer = await post("/api/export", { format: button.dataset.format, photos: view.shown });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = /filename=([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "photos.txt";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } catch (error) {
      tell(error.message);
    }
  });
}

try {
  await load();
  fillChoices();
  readAddress();
  await loadPhotos();
} catch (error) {
  tell(error.message);
}
