// Marks: what a key does to one, how it shows, and undoing it.
import { post, say, tell } from "./api.js";
import { LABELS, photos, tellAll } from "./photos.js";

const undone = []; // what to give back: { photo, mark }
const MOST_UNDO = 500;

// What a key changes of a mark; null for a key that marks nothing.
export function change(key, mark) {
  if (key === "p") return { flag: "pick" };
  if (key === "x") return { flag: "reject" };
  if (key === "u") return { flag: null };
  if (/^[0-5]$/.test(key)) return { stars: Number(key) };
  if (/^[6-9]$/.test(key)) {
    const label = LABELS[Number(key) - 6];
    return { label: mark.label === label ? null : label };
  }
  return null;
}

export function describeMark({ flag, stars, label }) {
  const parts = [];
  if (flag) parts.push(flag === "pick" ? "picked" : "rejected");
  if (stars) parts.push(stars === 1 ? "1 star" : `${stars} stars`);
  if (label) parts.push(label.toLowerCase());
  return parts.join(", ") || "unmarked";
}

async function send(photo, fields) {
  const before = photos[photo].mark;
  // Shown at once; taken back if it can't be kept.
  photos[photo].mark = { ...before, ...fields };
  tellAll("marks", [photo]);
  try {
    const answer = await (await post("/api/mark", { photos: [photo], ...fields }, { keepalive: true })).json();
    photos[photo].mark = answer[photo];
  } catch (error) {
    photos[photo].mark = before;
    tellAll("marks", [photo]);
    tell(error.message);
    return false;
  }
  say(`${photos[photo].name}: ${describeMark(photos[photo].mark)}`);
  return true;
}

export async function mark(photo, fields) {
  const before = photos[photo].mark;
  const kept = await send(photo, fields);
  if (kept) {
    undone.push({ photo, mark: before });
    if (undone.length > MOST_UNDO) undone.shift();
  }
  return kept;
}

export async function undo() {
  const last = undone.pop();
  if (!last) {
    say("nothing to undo");
    return null;
  }
  await send(last.photo, last.mark);
  return last.photo;
}

// The signs of a mark, for a card, a pane or the strip.
export function drawMark(element, { flag, stars, label }) {
  const parts = [];
  const add = (kind, text) => {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    parts.push(part);
  };
  if (flag) add(`flag ${flag}`, flag === "pick" ? "✓" : "✕");
  if (stars) add("given", "★".repeat(stars));
  if (label) add(`dot ${label.toLowerCase()}`, "");
  element.replaceChildren(...parts);
}
