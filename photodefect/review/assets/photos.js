// The photos of the review: loaded piece by piece, with what is derived from them.
import { get, tell } from "./api.js";
import { directionOf, numberOf, VERDICTS } from "./wording.js";

export const FAILED = "failed";
export const VERDICTS_OR_NONE = [...VERDICTS, FAILED];

export const LABELS = ["Red", "Yellow", "Green", "Blue"];

export const photos = []; // entries by number, as the server has them
export let defects = [];
export let bursts = [];
export const burstOf = new Map(); // number of a photo -> number of its burst
export const loading = { known: 0, total: 0, done: false, compared: "" };

const POLL_MS = 700;
const NEWS_MS = 4000;
const listeners = { more: [], done: [], marks: [] };
export const on = (event, listener) => listeners[event].push(listener);
export const tellAll = (event, value) => listeners[event].forEach((listener) => listener(value));

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

export async function load() {
  const about = await get("/api/about");
  defects = about.defects;
  loading.total = about.total;
  loading.compared = about.compared;
  document.getElementById("title").textContent = about.title;
  document.title = `${about.title} · photodefect review`;
  return about;
}

export async function loadPhotos() {
  let told = 0;
  while (!loading.done || photos.length < loading.known) {
    let found;
    try {
      found = await get(`/api/photos?from=${photos.length}`);
    } catch (error) {
      tell(error.message);
      return;
    }
    for (const photo of found.photos) {
      photo.search = photo.path.toLowerCase();
      photos.push(photo);
    }
    Object.assign(loading, { known: found.known, total: found.total, done: found.done });
    // Sorting thousands anew takes a moment: it is done when there is a good deal more than before.
    if (photos.length > 1.3 * told || photos.length === loading.known) {
      told = photos.length;
      tellAll("more");
    }
    // Until there is one, the server itself waits a moment with its answer.
    if (photos.length && photos.length >= loading.known && !loading.done) await pause(Math.max(POLL_MS, photos.length / 5));
  }
  bursts = await get("/api/bursts");
  bursts.forEach(({ members }, burst) => members.forEach((photo) => burstOf.set(photo, burst)));
  tellAll("done");
  watchNews();
}

// Marks that are made in another review of the same photos.
async function watchNews() {
  for (;;) {
    await pause(NEWS_MS);
    if (document.hidden) continue;
    try {
      const news = await get("/api/news");
      for (const [photo, mark] of Object.entries(news)) photos[photo].mark = mark;
      if (Object.keys(news).length) tellAll("marks", Object.keys(news).map(Number));
    } catch (error) {
      tell(error.message);
      return;
    }
  }
}

export const compareNames = (a, b) => collator.compare(photos[a].path, photos[b].path) || a - b;
export const thumbnail = (photo) => `/picture/${photo}/thumbnail?v=${photos[photo].version}`;
export const preview = (photo) => `/picture/${photo}/preview?v=${photos[photo].version}`;
export const whole = (photo) => `/picture/${photo}/full?v=${photos[photo].version}`;
export const heatMap = (photo, defect) => `/map/${photo}/${defects[defect].key}?v=${photos[photo].version}`;
export const hasMap = (photo, defect) => photos[photo].error == null && defects[defect].mapped && photos[photo].grades[defect] != null;

export const number = (defect, value) => numberOf(defects[defect], value);
export const direction = (defect, value) => directionOf(defects[defect], value);

export function describe(photo) {
  const { error, verdict, worst, severity } = photos[photo];
  if (error != null) return `Can’t be diagnosed: ${error}`;
  if (verdict === 0 || worst == null) return "Good";
  return [defects[worst].title, number(worst, severity[worst]), direction(worst, severity[worst])].filter(Boolean).join(" ");
}

export const verdictOf = (photo) => (photos[photo].error != null ? FAILED : VERDICTS[photos[photo].verdict]);
export const sizeOf = (photo, defect) => {
  const { severity, grades } = photos[photo];
  return severity && grades[defect] != null ? Math.abs(severity[defect]) : -1;
};
