// The panes of the viewer: one photo, or two to four side by side, zoomed and panned in step.
import { get, tell } from "./api.js";
import { heatMap, photos, preview, whole } from "./photos.js";
import { drawMark, describeMark } from "./marks.js";

export const MOST_PANES = 4;
const panesElement = document.getElementById("panes");
const note = document.getElementById("pane-note");
const template = document.getElementById("pane").content.firstElementChild;

// What is seen: `x` and `y` are the middle, 0..1 of the photo; `scale` is 1 where a pixel of the photo is one of the screen.
export const zoom = { on: false, x: 0.5, y: 0.5, scale: 1 };
export const panes = []; // { photo, element, held }
export const stage = { active: 0, map: -1 };
let told = () => {};
export const onStage = (listener) => { told = listener; };

// Below the photo stands what is waited for, or else what its heat map says.
const decoding = new Set(); // images of whole photos
let onMap = "";
const drawNote = () => { note.textContent = decoding.size ? "Decoding the photo at full size" : onMap; };
export function noteOnMap(text) {
  onMap = text;
  drawNote();
}

export const current = () => panes[stage.active]?.photo ?? -1;

export function show(numbers, { active = 0, held = -1 } = {}) {
  while (panes.length > numbers.length) panes.pop().element.remove();
  while (panes.length < numbers.length) panes.push(newPane());
  numbers.forEach((photo, index) => {
    panes[index].held = index === held;
    setPhoto(panes[index], photo);
  });
  stage.active = Math.min(active, panes.length - 1);
  panesElement.dataset.count = String(panes.length);
  draw();
}

export function replace(index, photo) {
  setPhoto(panes[index], photo);
  draw();
}

function newPane() {
  const element = template.cloneNode(true);
  panesElement.append(element);
  const pane = { photo: -1, element, held: false };
  element.querySelector(".pane-caption").addEventListener("click", () => activate(panes.indexOf(pane)));
  listen(pane, element.querySelector(".pane-view"));
  return pane;
}

export function activate(index) {
  stage.active = (index + panes.length) % panes.length;
  draw();
}

function setPhoto(pane, photo) {
  if (pane.photo === photo) return;
  pane.photo = photo;
  const [base, full] = pane.element.querySelectorAll("img");
  full.hidden = true;
  full.removeAttribute("src");
  delete full.dataset.photo;
  if (decoding.delete(full)) drawNote();
  const { name, error } = photos[photo];
  base.alt = name;
  base.onerror = () => complain(pane, photo);
  if (error == null) base.src = preview(photo);
  else base.removeAttribute("src");
  pane.element.querySelector(".pane-name").textContent = name;
}

// An image can't say why it failed; the server can.
async function complain(pane, photo) {
  if (pane.photo !== photo) return;
  try {
    await get(preview(photo));
  } catch (error) {
    if (pane.photo === photo) tell(`${photos[photo].name}: ${error.message}`);
  }
}

export function draw() {
  panes.forEach((pane, index) => {
    const { photo, element } = pane;
    element.classList.toggle("active", index === stage.active && panes.length > 1);
    element.setAttribute("aria-label", `${photos[photo].name}, ${describeMark(photos[photo].mark)}`);
    element.querySelector(".held").hidden = !pane.held;
    element.querySelector(".pane-caption").hidden = panes.length === 1;
    drawMark(element.querySelector(".marks"), photos[photo].mark);
    place(pane);
  });
  panesElement.classList.toggle("zoomed", zoom.on);
  document.getElementById("zoom-button").setAttribute("aria-pressed", String(zoom.on));
  told();
}

const sizeOf = (photo) => photos[photo].size ?? [3, 2];

function place(pane) {
  const { photo, element } = pane;
  const area = element.querySelector(".pane-view");
  const frame = element.querySelector(".pane-frame");
  const [width, height] = sizeOf(photo);
  const fit = Math.min(area.clientWidth / width, area.clientHeight / height, 1 / Math.min(1, devicePixelRatio));
  const scale = zoom.on ? zoom.scale / devicePixelRatio : Math.min(fit, 2);
  const [w, h] = [width * scale, height * scale];
  // A photo that is larger than its pane covers it; a smaller one lies in the middle.
  const along = (room, length, middle) =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, room / 2 - middle * length));
  frame.style.width = `${w}px`;
  frame.style.height = `${h}px`;
  frame.style.transform = `translate(${along(area.clientWidth, w, zoom.x)}px, ${along(area.clientHeight, h, zoom.y)}px)`;
  const [, full, overlay] = element.querySelectorAll("img");
  if (zoom.on && photos[photo].error == null && full.dataset.photo !== String(photo)) {
    full.dataset.photo = String(photo);
    const over = () => { decoding.delete(full); drawNote(); };
    decoding.add(full);
    drawNote();
    full.onload = () => { full.hidden = false; over(); };
    full.onerror = () => { over(); complain(pane, photo); };
    full.src = whole(photo);
  }
  full.hidden = !(zoom.on && full.complete && full.naturalWidth > 0 && full.dataset.photo === String(photo));
  const mapped = stage.map >= 0 && pane.maps?.[stage.map] === photo;
  overlay.hidden = !mapped;
  frame.classList.toggle("mapped", mapped);
}

export function setZoom(on, x = zoom.x, y = zoom.y, scale = 1) {
  Object.assign(zoom, { on, x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)), scale });
  draw();
}

export function enlarge(factor) {
  setZoom(true, zoom.x, zoom.y, Math.min(8, Math.max(0.125, zoom.scale * factor)));
}

// Lay the map of a defect over every pane; places are where it is worst.
export async function showMap(defect, places) {
  stage.map = defect;
  for (const pane of panes) {
    const { photo, element } = pane;
    const overlay = element.querySelector(".overlay");
    pane.maps ??= {};
    if (defect >= 0 && places.has(photo)) {
      pane.maps[defect] = photo;
      overlay.src = heatMap(photo, defect);
      overlay.alt = "";
    }
  }
  draw();
}

// --- pointer: a click zooms there, dragging pans, the wheel enlarges ---------------------------------------------

function listen(pane, area) {
  let start = null;
  const pointers = new Map();
  const placeOf = (event) => {
    const box = area.querySelector(".pane-frame").getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event);
    area.setPointerCapture(event.pointerId);
    start = { x: event.clientX, y: event.clientY, at: [zoom.x, zoom.y], moved: false, spread: pointers.size === 2 ? spread() : 0, scale: zoom.scale };
    if (panes.length > 1) activate(panes.indexOf(pane));
  });
  area.addEventListener("pointermove", (event) => {
    if (!start || !pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    start.moved ||= Math.hypot(dx, dy) > 5;
    if (pointers.size === 2 && zoom.on && start.spread) {
      start.moved = true;
      setZoom(true, zoom.x, zoom.y, Math.min(8, Math.max(0.125, (start.scale * spread()) / start.spread)));
    } else if (zoom.on && start.moved) {
      const [width, height] = sizeOf(pane.photo);
      const scale = zoom.scale / devicePixelRatio;
      setZoom(true, start.at[0] - dx / (width * scale), start.at[1] - dy / (height * scale), zoom.scale);
    }
  });
  const end = (event) => {
    if (!pointers.delete(event.pointerId) || !start) return;
    const { moved, x } = start;
    start = null;
    if (event.type === "pointercancel") return;
    if (!moved) {
      if (zoom.on) setZoom(false);
      else setZoom(true, ...placeOf(event));
    } else if (!zoom.on && event.pointerType === "touch" && Math.abs(event.clientX - x) > 48) {
      area.dispatchEvent(new CustomEvent("swipe", { bubbles: true, detail: event.clientX < x ? 1 : -1 }));
    }
  };
  area.addEventListener("pointerup", end);
  area.addEventListener("pointercancel", end);
  area.addEventListener("wheel", (event) => {
    if (!zoom.on) return;
    event.preventDefault();
    enlarge(event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
}
new ResizeObserver(() => { if (panes.length && panesElement.clientWidth) draw(); }).observe(panesElement);
