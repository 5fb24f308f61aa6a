  const { defects, notes, photos, sets } = window.photodefectReport;
  const files = document.documentElement.dataset.files;
  const BINS = 20;
  const THUMBNAIL_SIDE = 360;

  const find = (id) => document.getElementById(id);
  const grid = find("grid");
  const viewer = find("viewer");
  const tiles = [...document.querySelectorAll(".tile")];
  const chips = [...document.querySelectorAll(".chip")];

  // What the person has chosen. `order` is the place of a defect, or -1 for the verdict over all of them; `shown` are
  // the photos that match, in order; `set` says which photos
  // of bursts and other sets: all (""), "in" some, "best" of each burst, or the number of one, from 1.
  const state = { order: -1, sort: "worst", grades: new Set(), query: "", set: "", size: 260, shown: [], map: -1, open: -1 };

  const picture = (kind, photo, ending) => `${files}/${kind}/${String(photo + 1).padStart(5, "0")}${ending}`;
  const thumbnail = (photo) => picture("thumbnails", photo, ".jpg");
  const preview = (photo) => picture("previews", photo, ".jpg");
  const heatMap = (photo, defect) => picture("maps", photo, `-${defects[defect].key}.png`);
  const hasMap = (photo, defect) => photos[photo].maps != null && photos[photo].maps[defect] != null;

  const number = (defect, value) => numberOf(defects[defect], value);
  const direction = (defect, value) => directionOf(defects[defect], value);
  const finding = (defect, value) =>
    [defects[defect].title, number(defect, value), direction(defect, value)].filter(Boolean).join(" ");
  // A colour defect of a monochrome photo doesn't count.
  const grade = (photo, order) => (order < 0 ? VERDICTS.indexOf(photos[photo].verdict) : photos[photo].grades[order] ?? 0);
  const counts = (photo, order) => order < 0 || photos[photo].grades[order] != null;
  const sizeOf = (photo, order) => {
    if (order >= 0) return counts(photo, order) ? Math.abs(photos[photo].severity[order]) : -1;
    const largest = Math.max(...photos[photo].severity.map((value, defect) => (counts(photo, defect) ? Math.abs(value) : 0)));
    return grade(photo, -1) + largest / 2;
  };

  const setName = (set) => `${sets[set].kind[0].toUpperCase()}${sets[set].kind.slice(1)} ${set + 1}`;
  const members = sets.map(() => []);
  photos.forEach(({ set }, photo) => { if (set != null) members[set].push(photo); });

  // Sorting thousands of names by a language's rules takes a while, so it is done once.
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const byName = photos.map((_, index) => index).sort((a, b) => collator.compare(photos[a].path, photos[b].path) || a - b);
  const nameRank = new Uint32Array(photos.length);
  byName.forEach((photo, rank) => { nameRank[photo] = rank; });
  const haystack = photos.map(({ path, facts }) =>
    [path, ...facts.filter(([label]) => label === "Camera" || label === "Lens").map(([, text]) => text)].join("\n").toLowerCase());

