// The viewer: one photo or several, its burst, its heat maps, and what was found in it.
import { get, say, tell } from "./api.js";
import { bursts, burstOf, defects, hasMap, loading, photos, preview, thumbnail, verdictOf } from "./photos.js";
import { fillScore, hintLines, rankOf } from "./wording.js";
import { describeMark, drawMark } from "./marks.js";
import { activate, current, MOST_PANES, noteOnMap, onStage, panes, replace, setZoom, show, showMap, stage, zoom } from "./stage.js";
import { view } from "./view.js";

const find = (id) => document.getElementById(id);
export const viewer = find("viewer");
const details = new Map(); // number -> what the server told of the photo now shown
const mapsOf = new Map(); // number -> its heat maps
const state = { strip: false, list: [] };
const scoreItem = find("score").content.firstElementChild;

export const isOpen = () => viewer.open;
export const comparing = () => panes.length > 1;

// --- opening and moving ----------------------------------------------------------------------------------------

export function open(numbers, { held = -1 } = {}) {
  state.list = view.shown.slice();
  state.strip = false;
  setMap(-1);
  Object.assign(zoom, { on: false, x: 0.5, y: 0.5, scale: 1 });
  if (!viewer.open) {
    viewer.showModal();
    viewer.querySelector(".viewer-body").scrollTo(0, 0);
    find("panes").focus();
    document.documentElement.style.overflow = "hidden";
  }
  show(numbers, { active: numbers.length - 1, held });
}

export function step(by) {
  const list = state.strip ? bursts[burstOf.get(current())]?.members ?? state.list : state.list;
  const shownElsewhere = new Set(panes.map(({ photo }) => photo));
  if (panes[stage.active].held) activate(panes.findIndex(({ held }) => !held));
  let index = list.indexOf(current());
  do index += by; while (list[index] !== undefined && shownElsewhere.has(list[index]));
  if (list[index] === undefined) {
    say(by > 0 ? "this is the last photo" : "this is the first photo");
    return false;
  }
  replace(stage.active, list[index]);
  refreshMap();
  for (const neighbour of [list[index + by], list[index + 2 * by]]) {
    if (neighbour !== undefined && photos[neighbour].error == null) new Image().src = preview(neighbour);
  }
  return true;
}

// --- comparing ---------------------------------------------------------------------------------------------------

export function compare() {
  if (comparing()) {
    show([current()]);
    return;
  }
  const list = state.list;
  const partner = list[list.indexOf(current()) + 1] ?? list[list.indexOf(current()) - 1];
  if (partner === undefined) {
    tell("There is no other photo to compare with.");
    return;
  }
  show([current(), partner], { active: 1, held: 0 });
  refreshMap();
}

export function hold() {
  if (!comparing()) return;
  const held = stage.active;
  panes.forEach((pane, index) => { pane.held = index === held; });
  activate(held + 1);
}

export function morePanes(by) {
  const numbers = panes.map(({ photo }) => photo);
  const held = panes.findIndex((pane) => pane.held);
  if (by > 0 && numbers.length < MOST_PANES) {
    const next = state.list.slice(state.list.indexOf(numbers.at(-1)) + 1).find((photo) => !numbers.includes(photo));
    if (next === undefined) return;
    show([...numbers, next], { active: numbers.length, held });
  } else if (by < 0 && numbers.length > 2) {
    const gone = panes[stage.active].held ? numbers.length - 1 : stage.active;
    numbers.splice(gone, 1);
    show(numbers, { active: Math.min(stage.active, numbers.length - 1), held: gone < held ? held - 1 : held });
  }
  refreshMap();
}

// --- 100 % -------------------------------------------------------------------------------------------------------

export async function toggleZoom() {
  if (zoom.on) {
    setZoom(false);
    return;
  }
  const photo = current();
  let place = stage.map >= 0 ? mapsOf.get(photo)?.[defects[stage.map].key]?.place : null;
  try {
    place ??= await get(`/api/photo/${photo}/sharpest`);
  } catch (error) {
    tell(`${photos[photo].name}: ${error.message}`);
    return;
  }
  if (current() === photo) setZoom(true, ...place);
}

// --- heat maps ---------------------------------------------------------------------------------------------------

const making = new Set(); // numbers of photos whose maps are being made
let asked = 0; // what was asked for before is no longer of interest

// Defects with a map, the worst first.
function mappable(photo) {
  if (photos[photo].error != null) return [];
  const found = defects.map((_, which) => which).filter((which) => hasMap(photo, which));
  const { grades, severity } = photos[photo];
  return found.sort((a, b) => grades[b] - grades[a] || Math.abs(severity[b]) - Math.abs(severity[a]) || a - b);
}

export function nextMap() {
  const order = mappable(current());
  setMap(order[stage.map < 0 ? 0 : order.indexOf(stage.map) + 1] ?? -1);
}

export function setMap(which) {
  stage.map = which;
  refreshMap();
}

async function refreshMap() {
  const which = stage.map;
  const mine = ++asked;
  find("map-button").setAttribute("aria-pressed", String(which >= 0));
  if (which < 0) {
    showMap(-1, new Set());
    return;
  }
  const wanted = panes.map(({ photo }) => photo).filter((photo) => hasMap(photo, which));
  for (const photo of wanted) {
    if (mapsOf.has(photo)) continue;
    making.add(photo);
    tellMap();
    try {
      mapsOf.set(photo, await get(`/api/photo/${photo}/maps`));
    } catch (error) {
      tell(`${photos[photo].name}: ${error.message}`);
    }
    making.delete(photo);
    tellMap();
    if (mine !== asked) return;
  }
  showMap(which, new Set(wanted.filter((photo) => mapsOf.get(photo)?.[defects[which].key].there)));
}

// What the map of the photo at hand says.
function tellMap() {
  const photo = current();
  if (stage.map < 0) noteOnMap("");
  else if (making.size) noteOnMap("Making the heat maps");
  else {
    const { title, key } = defects[stage.map];
    const made = mapsOf.get(photo)?.[key];
    noteOnMap(made ? `${title}: ${made.note}.${made.there ? " Z goes where it is worst." : ""}` : `${title} has no map here`);
  }
}

// --- the burst ---------------------------------------------------------------------------------------------------

export function toggleStrip(on = !state.strip) {
  if (on && burstOf.get(current()) === undefined) {
    tell("This photo is not part of a burst.");
    return;
  }
  state.strip = on;
  drawStrip();
}

function drawStrip() {
  const strip = find("strip");
  const burst = bursts[burstOf.get(current())];
  const shown = state.strip && burst !== undefined;
  strip.hidden = !shown;
  find("burst-button").setAttribute("aria-pressed", String(shown));
  if (!shown) return;
  strip.setAttribute("aria-label", `${burst.kind} of ${burst.members.length}`);
  strip.replaceChildren(...burst.members.map((photo) => {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "strip-photo";
    const image = document.createElement("img");
    const marks = document.createElement("span");
    image.src = thumbnail(photo);
    image.alt = "";
    marks.className = "marks";
    drawMark(marks, photos[photo].mark);
    item.append(image, marks);
    const best = burst.kind === "burst" && photo === burst.best;
    if (best) {
      const label = document.createElement("span");
      label.className = "best";
      label.textContent = "suggested";
      item.append(label);
    }
    item.setAttribute("aria-label", `${photos[photo].name}${best ? ", suggested as the best" : ""}, ${describeMark(photos[photo].mark)}`);
    item.setAttribute("aria-current", String(photo === current()));
    item.addEventListener("click", () => { replace(stage.active, photo); refreshMap(); });
    return item;
  }));
}

// --- what is told of the photo -----------------------------------------------------------------------------------

export function drawMarks() {
  const photo = current();
  if (photo < 0) return;
  const { mark } = photos[photo];
  for (const button of viewer.querySelectorAll("[data-is]")) button.setAttribute("aria-pressed", String(mark.flag === button.dataset.is));
  for (const star of viewer.querySelectorAll(".star")) star.setAttribute("aria-pressed", String(Number(star.dataset.key) <= mark.stars));
  for (const label of viewer.querySelectorAll(".label-button")) label.setAttribute("aria-pressed", String(label.dataset.label === mark.label));
  for (const pane of panes) drawMark(pane.element.querySelector(".marks"), photos[pane.photo].mark);
  drawStrip();
}

function fill() {
  if (!viewer.open) return;
  const photo = current();
  const index = state.list.indexOf(photo);
  find("viewer-name").textContent = photos[photo].name;
  find("viewer-name").title = photos[photo].path;
  find("viewer-place").textContent = index < 0 ? "" : `${index + 1} of ${state.list.length}`;
  find("viewer-verdict").textContent = verdictOf(photo);
  find("viewer-verdict").className = `badge ${verdictOf(photo)}`;
  find("previous").disabled = index === 0;
  find("next").disabled = index === state.list.length - 1;
  find("compare-button").setAttribute("aria-pressed", String(comparing()));
  drawMarks();
  tellMap();
  fillScores(photo);
  fillFacts(photo);
}
onStage(fill);

function fillScores(photo) {
  const { severity, grades, error } = photos[photo];
  find("scores").replaceChildren(...(error != null ? [] : defects.map((defect, which) => {
    const row = scoreItem.cloneNode(true);
    fillScore(row, defect, severity[which], grades[which]);
    row.disabled = !hasMap(photo, which);
    row.setAttribute("aria-pressed", String(stage.map === which));
    row.addEventListener("click", () => setMap(stage.map === which ? -1 : which));
    return row;
  })));
}

async function fillFacts(photo) {
  const shown = details.get(photo);
  if (shown) tellFacts(photo, shown);
  else {
    find("facts").replaceChildren();
    find("findings").replaceChildren();
    find("file-state").hidden = true;
  }
  try {
    const found = await get(`/api/photo/${photo}`);
    if (found.version !== "gone") photos[photo].version = found.version;
    details.set(photo, found);
    if (details.size > 200) details.delete(details.keys().next().value);
    if (current() === photo) tellFacts(photo, found);
  } catch (error) {
    tell(error.message);
  }
}

function tellFacts(photo, { facts, files, findings, percentile, state: file }) {
  const line = (label, text) => {
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = label;
    value.textContent = text;
    return [term, value];
  };
  find("facts").replaceChildren(...facts.flatMap(([label, text]) => line(label, text)), ...files.flatMap((path) => line("Path", path)));
  find("findings").replaceChildren(...hintLines(findings.filter(({ hint }) => hint), defects));
  [...find("scores").children].forEach((row, which) => {
    row.querySelector(".score-rank").textContent = rankOf(photos[photo].grades?.[which], percentile?.[which], loading.compared);
  });
  const words = { gone: "The file is gone: it was moved or deleted.", changed: "The file has changed since it was looked at. Start the review again to have it judged anew." };
  find("file-state").hidden = !words[file];
  find("file-state").textContent = words[file] ?? "";
}

viewer.addEventListener("swipe", (event) => step(event.detail));
