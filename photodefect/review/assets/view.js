// Which photos are shown and in which order; all of it stands in the address.
import { readFields, writeFields } from "./address.js";
import { bursts, burstOf, compareNames, defects, FAILED, photos, sizeOf, VERDICTS_OR_NONE, verdictOf } from "./photos.js";

const find = (id) => document.getElementById(id);
const chips = [...document.querySelectorAll(".chip")];
const FIELDS = ["mark", "sort", "defect", "least", "camera", "since", "until", "burst", "search"];
const DEFAULTS = { mark: "", sort: "time", defect: "", least: "0", camera: "", since: "", until: "", burst: "", search: "" };

const ADDRESSED = { verdict: "", ...DEFAULTS, reverse: "" };

export const view = { verdicts: new Set(), reverse: false, shown: [], ...DEFAULTS };
let listener = () => {};
export const onView = (told) => { listener = told; };

const NARROWING = ["mark", "defect", "least", "camera", "since", "until", "burst", "search"];

export function readAddress() {
  const wanted = readFields(location.search, ADDRESSED);
  view.verdicts = new Set(wanted.verdict.split(",").filter((name) => VERDICTS_OR_NONE.includes(name)));
  view.reverse = wanted.reverse === "1";
  for (const field of FIELDS) {
    const value = wanted[field];
    view[field] = value;
    const control = find(field);
    if (control.tagName === "SELECT" && ![...control.options].some((option) => option.value === value)) {
      control.append(new Option(value, value)); // a camera that isn't loaded yet
    }
    control.value = value;
  }
  find("reverse").checked = view.reverse;
  find("more").open = ["defect", "least", "camera", "since", "until", "burst"].some((field) => view[field] !== DEFAULTS[field]);
}

function writeAddress() {
  const verdict = VERDICTS_OR_NONE.filter((name) => view.verdicts.has(name)).join(",");
  const text = writeFields({ ...view, verdict, reverse: view.reverse ? "1" : "" }, ADDRESSED);
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

export function fillChoices() {
  for (const [index, { key, title }] of defects.entries()) {
    find("defect").append(new Option(title, key));
    find("sort").append(new Option(`${title}, worst first`, key));
    defects[index].index = index;
  }
}

export function fillCameras() {
  const there = new Set([...find("camera").options].map((option) => option.value));
  for (const camera of [...new Set(photos.map((photo) => photo.camera).filter(Boolean))].sort()) {
    if (!there.has(camera)) find("camera").append(new Option(camera, camera));
  }
}

function hasMark({ flag, stars, label }) {
  if (view.mark === "") return true;
  if (view.mark === "pick" || view.mark === "reject") return flag === view.mark;
  if (view.mark === "unmarked") return !flag && !stars && !label;
  if (/^[1-5]\+$/.test(view.mark)) return stars >= Number(view.mark[0]);
  return label === view.mark;
}

function inBurst(photo) {
  const burst = burstOf.get(photo);
  if (view.burst === "") return true;
  if (view.burst === "in") return burst !== undefined;
  if (view.burst === "alone") return burst === undefined;
  if (view.burst === "best") return burst === undefined || bursts[burst].kind !== "burst" || bursts[burst].best === photo;
  return burst === Number(view.burst) - 1;
}

function matches(photo, words, defect) {
  const { mark, time, camera, search } = photos[photo];
  if (view.verdicts.size && !view.verdicts.has(verdictOf(photo))) return false;
  if (!hasMark(mark) || !inBurst(photo)) return false;
  if (Number(view.least) > 0) {
    const size = defect ? sizeOf(photo, defect.index) : photos[photo].overall ?? -1;
    if (size < Number(view.least)) return false;
  } else if (defect && !(photos[photo].grades?.[defect.index] > 0)) return false;
  if (view.camera && camera !== view.camera) return false;
  // ISO 8601 sorts as text; the end of the range is a whole day.
  if (view.since && !(time && time >= view.since)) return false;
  if (view.until && !(time && time.slice(0, 10) <= view.until)) return false;
  return words.every((word) => search.includes(word));
}

function comparison() {
  if (view.sort === "name") return compareNames;
  if (view.sort === "time") {
    const time = (photo) => photos[photo].time ?? "\uffff"; // those without a time come last
    return (a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : a - b);
  }
  const defect = defects.find(({ key }) => key === view.sort);
  const size = (photo) => (defect ? sizeOf(photo, defect.index) : photos[photo].overall ?? -1);
  return (a, b) => size(b) - size(a) || a - b;
}

export function refresh() {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  const defect = defects.find(({ key }) => key === view.defect);
  view.shown = photos.map((_, photo) => photo).filter((photo) => matches(photo, words, defect));
  view.shown.sort(comparison());
  if (view.reverse) view.shown.reverse();
  const found = Object.fromEntries(VERDICTS_OR_NONE.map((name) => [name, 0]));
  photos.forEach((_, photo) => found[verdictOf(photo)]++);
  for (const chip of chips) {
    chip.setAttribute("aria-pressed", String(view.verdicts.has(chip.dataset.verdict)));
    chip.querySelector(".number").textContent = String(found[chip.dataset.verdict]);
    if (chip.dataset.verdict === FAILED) chip.hidden = !found[FAILED] && !view.verdicts.has(FAILED);
  }
  find("least-value").textContent = Number(view.least).toFixed(2);
  const hidden = photos.length - view.shown.length;
  find("hidden-note").hidden = hidden === 0;
  find("hidden-count").textContent = `${hidden} hidden by your filters`;
  find("count").textContent = `${view.shown.length} of ${photos.length}`;
  find("empty").hidden = view.shown.length > 0 || photos.length === 0;
  listener();
}

function changed() {
  writeAddress();
  refresh();
}

export function showAll() {
  view.verdicts.clear();
  for (const field of NARROWING) {
    view[field] = DEFAULTS[field];
    find(field).value = DEFAULTS[field];
  }
  changed();
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    if (!view.verdicts.delete(chip.dataset.verdict)) view.verdicts.add(chip.dataset.verdict);
    changed();
  });
}
for (const field of FIELDS) {
  find(field).addEventListener("input", (event) => {
    view[field] = event.target.value;
    changed();
  });
}
find("reverse").addEventListener("input", (event) => { view.reverse = event.target.checked; changed(); });
find("show-all").addEventListener("click", showAll);
find("filters").addEventListener("submit", (event) => event.preventDefault());
