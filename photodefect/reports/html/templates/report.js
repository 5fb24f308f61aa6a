// The grid of photos, its orders and filters, and the viewer of one photo. Text from files only ever becomes text.
"use strict";
(() => {
  const { defects, notes, photos } = window.photodefectReport;
  const files = document.documentElement.dataset.files;
  const VERDICTS = ["good", "mild", "severe"];
  const BINS = 20;
  const THUMBNAIL_SIDE = 360;
  const SPARE_ROWS = 2;

  const find = (id) => document.getElementById(id);
  const grid = find("grid");
  const viewer = find("viewer");
  const tiles = [...document.querySelectorAll(".tile")];
  const chips = [...document.querySelectorAll(".chip")];

  // What the person has chosen. `order` is the place of a defect, or -1 for the verdict over all of them; `shown` are
  // the photos that match, in order; `active` is the place among them that the keyboard is at.
  const state = { order: -1, sort: "worst", grades: new Set(), query: "", size: 260, shown: [], active: 0, map: -1, open: -1 };

  const picture = (kind, photo, ending) => `${files}/${kind}/${String(photo + 1).padStart(5, "0")}${ending}`;
  const thumbnail = (photo) => picture("thumbnails", photo, ".jpg");
  const preview = (photo) => picture("previews", photo, ".jpg");
  const heatMap = (photo, defect) => picture("maps", photo, `-${defects[defect].key}.png`);
  const hasMap = (photo, defect) => photos[photo].maps != null && photos[photo].maps[defect] != null;

  const number = (defect, value) => {
    const size = Math.abs(value).toFixed(2);
    if (!defects[defect].signed || size === "0.00") return size;
    return (value < 0 ? "−" : "+") + size;
  };
  const direction = (defect, value) =>
    !defects[defect].signed || Math.abs(value) < 0.005 ? "" : value < 0 ? "too little" : "too much";
  const finding = (defect, value) =>
    [defects[defect].title, number(defect, value), direction(defect, value)].filter(Boolean).join(" ");
  // A colour defect of a monochrome photo doesn't count.
  const grade = (photo, order) => (order < 0 ? VERDICTS.indexOf(photos[photo].verdict) : photos[photo].grades[order] ?? 0);
  const counts = (photo, order) => order < 0 || photos[photo].grades[order] != null;
  const sizeOf = (photo, order) => {
    if (order >= 0) return counts(photo, order) ? Math.abs(photos[photo].severity[order]) : -1;
    const { worst, severity } = photos[photo];
    return grade(photo, -1) + (worst == null ? 0 : Math.abs(severity[worst]) / 2);
  };

  // Sorting thousands of names by a language's rules takes a while, so it is done once.
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const byName = photos.map((_, index) => index).sort((a, b) => collator.compare(photos[a].path, photos[b].path) || a - b);
  const nameRank = new Uint32Array(photos.length);
  byName.forEach((photo, rank) => { nameRank[photo] = rank; });
  const haystack = photos.map(({ path, facts }) =>
    [path, ...facts.filter(([label]) => label === "Camera" || label === "Lens").map(([, text]) => text)].join("\n").toLowerCase());

  // --- which photos, in which order ---------------------------------------------------------------------------

  function matching(grades) {
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    const result = [];
    for (let photo = 0; photo < photos.length; photo++) {
      if (grades.size && !grades.has(grade(photo, state.order))) continue;
      if (words.every((word) => haystack[photo].includes(word))) result.push(photo);
    }
    return result;
  }

  function compare() {
    const rank = (a, b) => nameRank[a] - nameRank[b];
    if (state.sort === "name") return rank;
    if (state.sort === "time") {
      const time = (photo) => photos[photo].time ?? "\uffff"; // those without a time come last
      return (a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : rank(a, b));
    }
    const sizes = photos.map((_, photo) => sizeOf(photo, state.order));
    const sign = state.sort === "worst" ? 1 : -1;
    return (a, b) => sign * (sizes[b] - sizes[a]) || rank(a, b);
  }

  function refresh() {
    state.shown = matching(state.grades).sort(compare());
    state.active = 0;
    for (const tile of tiles) {
      tile.setAttribute("aria-pressed", String(orderOf(tile) === state.order));
    }
    const found = [0, 0, 0];
    for (const photo of matching(new Set())) found[grade(photo, state.order)]++;
    for (const chip of chips) {
      const value = VERDICTS.indexOf(chip.dataset.grade);
      chip.setAttribute("aria-pressed", String(state.grades.has(value)));
      chip.querySelector(".number").textContent = String(found[value]);
    }
    const all = state.shown.length === photos.length;
    find("count").textContent = all ? `${photos.length} photos` : `${state.shown.length} of ${photos.length} photos`;
    if (photos.length === 1 && all) find("count").textContent = "1 photo";
    find("empty").hidden = state.shown.length > 0;
    drawHistograms();
    clearCards();
    layOut();
  }

  // --- histograms ---------------------------------------------------------------------------------------------

  const orderOf = (tile) => defects.findIndex(({ key }) => key === tile.dataset.order);
  const binOf = (defect, value) => {
    const lowest = defects[defect].signed ? -1 : 0;
    return Math.min(BINS - 1, Math.max(0, Math.floor(((value - lowest) / (1 - lowest)) * BINS)));
  };

  function histogram(defect, chosen) {
    const result = new Array(BINS).fill(0);
    for (const photo of chosen) if (counts(photo, defect)) result[binOf(defect, photos[photo].severity[defect])]++;
    return result;
  }
  const everything = photos.map((_, photo) => photo);
  const overall = defects.map((_, defect) => histogram(defect, everything));

  function gradeOfBin(defect, bin) {
    const { signed, mild, severe } = defects[defect];
    const lowest = signed ? -1 : 0;
    const size = Math.abs(lowest + ((bin + 0.5) * (1 - lowest)) / BINS);
    return size >= severe ? "severe" : size >= mild ? "mild" : "good";
  }

  function svg(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  }

  // Bars over a line: for each, how many photos there are, how many of them are shown, and their grade.
  function drawChart(chart, bars, middle) {
    const highest = Math.max(1, ...bars.map(({ all }) => all));
    const width = BINS / bars.length;
    const parts = [svg("line", { x1: 0, x2: BINS, y1: 23.5, y2: 23.5 })];
    if (middle) parts.push(svg("line", { x1: BINS / 2, x2: BINS / 2, y1: 0, y2: 24 }));
    bars.forEach((bar, index) => {
      for (const layer of ["all", "shown"]) {
        if (!bar[layer]) continue;
        const tall = Math.max(1, (bar[layer] / highest) * 23);
        parts.push(svg("rect", { class: `${layer} ${bar.grade}`, x: (index + 0.1) * width, width: 0.8 * width, y: 23 - tall, height: tall }));
      }
    });
    chart.replaceChildren(...parts);
  }

  function drawHistograms() {
    for (const tile of tiles) {
      const defect = orderOf(tile);
      const chart = tile.querySelector("svg");
      if (defect < 0) {
        const count = (chosen, value) => chosen.filter((photo) => grade(photo, -1) === value).length;
        drawChart(chart, VERDICTS.map((name, value) => ({ all: count(everything, value), shown: count(state.shown, value), grade: name })));
      } else {
        const shown = histogram(defect, state.shown);
        const bars = overall[defect].map((all, bin) => ({ all, shown: shown[bin], grade: gradeOfBin(defect, bin) }));
        drawChart(chart, bars, defects[defect].signed);
      }
    }
  }

  function describeTiles() {
    for (const tile of tiles) {
      const order = orderOf(tile);
      const found = [0, 0, 0];
      for (const photo of everything) found[grade(photo, order)]++;
      const text = tile.querySelector(".tile-counts");
      const parts = [];
      if (found[2]) {
        const severe = document.createElement("span");
        severe.className = "severe";
        severe.textContent = `${found[2]} severe`;
        parts.push(severe);
      }
      if (found[1]) parts.push(`${found[1]} mild`);
      if (!parts.length) parts.push("none found");
      text.replaceChildren(...parts.flatMap((part, index) => (index ? [" · ", part] : [part])));
    }
  }

  // --- the grid: only what is in sight is in the page ---------------------------------------------------------

  const cards = new Map(); // place -> list item
  const place = { columns: 1, width: 0, height: 0, gap: 14, rowHeight: 0 };
  const template = find("card").content.firstElementChild;

  function layOut() {
    const width = grid.clientWidth;
    const phone = width < 560;
    place.gap = phone ? 10 : 14;
    const fitting = Math.floor((width + place.gap) / (state.size + place.gap));
    place.columns = Math.max(phone && state.size <= 260 ? 2 : 1, fitting);
    place.width = (width - place.gap * (place.columns - 1)) / place.columns;
    const narrow = place.width < 215;
    const photo = Math.round(place.width * 0.7);
    place.height = photo + (narrow ? 84 : 108);
    place.rowHeight = place.height + place.gap;
    grid.classList.toggle("narrow", narrow);
    grid.style.setProperty("--card-width", `${place.width}px`);
    grid.style.setProperty("--photo-height", `${photo}px`);
    grid.style.setProperty("--card-height", `${place.height}px`);
    const rows = Math.ceil(state.shown.length / place.columns);
    grid.style.height = `${Math.max(0, rows * place.rowHeight - place.gap)}px`;
    for (const [index, item] of cards) moveTo(item, index);
    drawCards();
  }

  function moveTo(item, index) {
    const x = (index % place.columns) * (place.width + place.gap);
    const y = Math.floor(index / place.columns) * place.rowHeight;
    item.style.transform = `translate(${x}px, ${y}px)`;
  }

  function clearCards() {
    grid.replaceChildren();
    cards.clear();
  }

  function drawCards() {
    const top = -grid.getBoundingClientRect().top;
    const firstRow = Math.floor(top / place.rowHeight) - SPARE_ROWS;
    const lastRow = Math.ceil((top + innerHeight) / place.rowHeight) + SPARE_ROWS;
    const first = Math.max(0, firstRow * place.columns);
    const last = Math.min(state.shown.length, lastRow * place.columns);
    for (const [index, item] of cards) {
      if ((index < first || index >= last) && !item.contains(document.activeElement)) {
        item.remove();
        cards.delete(index);
      }
    }
    for (let index = first; index < last; index++) if (!cards.has(index)) addCard(index);
    setTabStop(first, last);
  }

  // One card is reached by Tab: the active one, or the first in sight if that one is far away.
  function setTabStop(first, last) {
    const stop = state.active >= first && state.active < last ? state.active : first;
    for (const [index, item] of cards) item.firstElementChild.tabIndex = index === stop ? 0 : -1;
  }

  function addCard(index) {
    const photo = state.shown[index];
    const { name, path, severity, worst } = photos[photo];
    const item = template.cloneNode(true);
    const card = item.firstElementChild;
    item.dataset.place = String(index);
    item.setAttribute("aria-posinset", String(index + 1));
    item.setAttribute("aria-setsize", String(state.shown.length));
    const sharp = place.width * devicePixelRatio > THUMBNAIL_SIDE * 1.6;
    card.querySelector("img").src = sharp ? preview(photo) : thumbnail(photo);
    card.querySelector(".name").textContent = name;
    card.title = path;

    const defect = state.order < 0 ? worst : state.order;
    const value = grade(photo, state.order);
    const note = card.querySelector(".finding");
    note.classList.add(VERDICTS[value]);
    const text = describe(photo, defect, value);
    note.lastElementChild.textContent = text;
    card.setAttribute("aria-label", `${name}, ${VERDICTS[value]}, ${text}`);

    const bars = card.querySelector(".bars");
    bars.classList.toggle("ordered", state.order >= 0);
    [...bars.children].forEach((bar, which) => {
      bar.classList.add(counts(photo, which) ? VERDICTS[grade(photo, which)] : "none");
      bar.classList.toggle("chosen", which === state.order);
      bar.querySelector(".fill").style.height = `${Math.abs(severity[which]) * 100}%`;
      const sign = direction(which, severity[which]) && Math.abs(severity[which]) >= 0.05 ? number(which, severity[which])[0] : "";
      bar.lastElementChild.textContent = defects[which].short + sign;
    });
    moveTo(item, index);
    cards.set(index, item);
    // In the order that a screen reader reads.
    const after = [...grid.children].find((other) => Number(other.dataset.place) > index);
    grid.insertBefore(item, after ?? null);
  }

  function describe(photo, defect, value) {
    if (state.order < 0 && value === 0) return "Good";
    if (!counts(photo, defect)) return "Monochrome: not judged";
    const { severity, percentile } = photos[photo];
    if (state.order < 0) return finding(defect, severity[defect]);
    const rank = percentile?.[defect];
    const side = { "too much": " over", "too little": " under", "": "" }[direction(defect, severity[defect])];
    return number(defect, severity[defect]) + side + (rank == null ? "" : ` · worse than ${rank}%`);
  }

  function goTo(index, { focus = true } = {}) {
    if (!state.shown.length) return;
    state.active = Math.min(state.shown.length - 1, Math.max(0, index));
    const row = Math.floor(state.active / place.columns);
    const start = grid.getBoundingClientRect().top + row * place.rowHeight;
    const bar = document.querySelector(".toolbar").getBoundingClientRect().height + 12;
    if (start < bar) scrollBy({ top: start - bar, behavior: "instant" });
    else if (start + place.height > innerHeight - 12) scrollBy({ top: start + place.height - innerHeight + 12, behavior: "instant" });
    drawCards();
    if (focus) cards.get(state.active)?.firstElementChild.focus({ preventScroll: true });
  }

  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const perPage = Math.max(1, Math.floor(innerHeight / place.rowHeight)) * place.columns;
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: place.columns, ArrowUp: -place.columns,
      PageDown: perPage, PageUp: -perPage, Home: -Infinity, End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    leaveViewer();
    goTo(state.active + step);
  });
  const placeOf = (target) => {
    const item = target.closest("li");
    return item ? Number(item.dataset.place) : null;
  };
  grid.addEventListener("focusin", (event) => {
    const index = placeOf(event.target);
    if (index != null) state.active = index;
  });
  grid.addEventListener("click", (event) => {
    const index = placeOf(event.target);
    if (index != null) show(index);
  });

  let drawing = 0;
  const drawSoon = () => {
    drawing ||= requestAnimationFrame(() => { drawing = 0; drawCards(); });
  };
  addEventListener("scroll", drawSoon, { passive: true });
  addEventListener("resize", drawSoon);
  let lastWidth = 0;
  new ResizeObserver(() => {
    if (grid.clientWidth === lastWidth) return;
    lastWidth = grid.clientWidth;
    layOut();
  }).observe(grid);

  // --- orders and filters -------------------------------------------------------------------------------------

  function chooseOrder(order) {
    state.order = order;
    state.grades.clear();
    if (state.sort !== "best") find("sort").value = state.sort = "worst";
    refresh();
  }
  for (const tile of tiles) tile.addEventListener("click", () => chooseOrder(orderOf(tile)));
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const value = VERDICTS.indexOf(chip.dataset.grade);
      if (!state.grades.delete(value)) state.grades.add(value);
      refresh();
    });
  }
  find("search").addEventListener("input", (event) => { state.query = event.target.value; refresh(); });
  find("sort").addEventListener("change", (event) => { state.sort = event.target.value; refresh(); });
  find("size").addEventListener("input", (event) => {
    state.size = Number(event.target.value);
    clearCards();
    layOut();
  });
  find("clear")?.addEventListener("click", () => {
    state.grades.clear();
    find("search").value = state.query = "";
    refresh();
    find("search").focus();
  });
  if (!photos.some(({ time }) => time)) find("sort").querySelector("[value=time]").remove();

  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("photodefect-theme", root.dataset.theme);
    } catch {
      // A browser that stores nothing for pages from disk: the choice holds until the page is closed.
    }
  });

  // --- the viewer ---------------------------------------------------------------------------------------------

  const stripItem = find("strip-item").content.firstElementChild;
  const scoreItem = find("score").content.firstElementChild;

  function show(index) {
    state.open = state.active = index;
    fillViewer();
    if (!viewer.open) {
      viewer.showModal();
      viewer.querySelector(".viewer-body").scrollTo(0, 0);
      find("close").focus();
      document.documentElement.style.overflow = "hidden";
    }
  }

  function step(by) {
    const index = state.open + by;
    if (index < 0 || index >= state.shown.length) return;
    show(index);
  }

  function fillViewer() {
    const photo = state.shown[state.open];
    const { name, path, href, verdict, facts, size } = photos[photo];
    find("viewer-name").textContent = name;
    find("viewer-name").title = path;
    find("viewer-place").textContent = `${state.open + 1} of ${state.shown.length}`;
    find("viewer-verdict").textContent = verdict;
    find("viewer-verdict").className = `badge ${verdict}`;
    find("previous").disabled = state.open === 0;
    find("next").disabled = state.open === state.shown.length - 1;
    const [width, height] = size;
    find("frame").style.setProperty("--ratio", String(width / height));
    // No larger than the photo is, nor than would still look sharp.
    find("frame").style.setProperty("--longest", String(Math.min(width, width >= height ? 1920 : (1920 * width) / height)));
    find("preview").src = preview(photo);
    find("preview").alt = name;
    find("original").href = href;
    fillScores(photo);
    fillStrip(photo);
    const lines = [];
    for (const [label, text] of facts) {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = label;
      value.textContent = text;
      lines.push(term, value);
    }
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = "Path";
    value.textContent = path;
    find("facts").replaceChildren(...lines, term, value);
    chooseMap(state.map);
    for (const neighbour of [state.open + 1, state.open - 1]) {
      if (neighbour >= 0 && neighbour < state.shown.length) new Image().src = preview(state.shown[neighbour]);
    }
  }

  function fillScores(photo) {
    const { severity, percentile } = photos[photo];
    const rows = defects.map((defect, which) => {
      const row = scoreItem.cloneNode(true);
      const value = severity[which];
      const judged = counts(photo, which);
      row.classList.add(judged ? VERDICTS[grade(photo, which)] : "none");
      row.dataset.map = String(which);
      row.disabled = !hasMap(photo, which);
      row.querySelector(".score-name").textContent = defect.title;
      row.querySelector(".score-value").textContent = [grade(photo, which) ? direction(which, value) : "", number(which, value)].filter(Boolean).join(" ");
      const scale = row.querySelector(".scale");
      const fill = row.querySelector(".scale-fill");
      const ticks = scale.querySelectorAll(".tick");
      if (defect.signed) {
        scale.classList.add("middle");
        fill.style.left = `${50 + Math.min(0, value) * 50}%`;
        fill.style.width = `${Math.abs(value) * 50}%`;
        for (const [index, limit] of [defect.mild, defect.severe].entries()) ticks[index].style.left = `${50 + (value < 0 ? -limit : limit) * 50}%`;
      } else {
        fill.style.width = `${value * 100}%`;
        for (const [index, limit] of [defect.mild, defect.severe].entries()) ticks[index].style.left = `${limit * 100}%`;
      }
      const rank = percentile?.[which];
      row.querySelector(".score-rank").textContent =
        !judged ? "not judged: monochrome" : rank == null ? "" : `worse than ${rank}% of reference photos`;
      return row;
    });
    find("scores").replaceChildren(...rows);
  }

  function fillStrip(photo) {
    const mapped = defects.map((_, which) => which).filter((which) => hasMap(photo, which));
    find("strip").hidden = find("caption").hidden = !mapped.length;
    find("strip").replaceChildren(...[-1, ...mapped].map((which) => {
      const item = stripItem.cloneNode(true);
      const [base, over] = item.querySelectorAll("img");
      base.src = thumbnail(photo);
      if (which < 0) over.remove();
      else over.src = heatMap(photo, which);
      item.classList.toggle("map", which >= 0);
      item.dataset.map = String(which);
      item.querySelector(".strip-name").textContent = which < 0 ? "Photo" : defects[which].title;
      return item;
    }));
  }

  function chooseMap(which) {
    const photo = state.shown[state.open];
    state.map = which;
    const there = which >= 0 && hasMap(photo, which);
    const shown = there ? which : -1;
    const overlay = find("overlay");
    overlay.hidden = !there;
    if (there) overlay.src = heatMap(photo, which);
    find("frame").classList.toggle("mapped", there);
    find("strength-field").hidden = !there;
    for (const control of viewer.querySelectorAll("[data-map]")) {
      control.setAttribute("aria-pressed", String(Number(control.dataset.map) === shown));
    }
    const note = find("map-note");
    note.replaceChildren();
    if (!there) {
      if (photos[photo].maps) note.textContent = "Choose a defect to see where it sits.";
      return;
    }
    const made = notes[photos[photo].maps[which]];
    note.append(`${defects[which].title}${made ? `, ${made}` : ""}`);
    const legend = defects[which].signed ? [["over", "too much"], ["under", "too little"]] : [["over", "severe"]];
    for (const [kind, text] of legend) {
      const key = document.createElement("span");
      const swatch = document.createElement("span");
      key.className = "key";
      swatch.className = `swatch ${kind}`;
      key.append(swatch, text);
      note.append(" ", key);
    }
  }

  viewer.addEventListener("click", (event) => {
    const control = event.target.closest("[data-map]");
    if (!control || control.disabled) return;
    const which = Number(control.dataset.map);
    chooseMap(which === state.map && which >= 0 ? -1 : which);
  });
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => viewer.close());
  find("strength").addEventListener("input", (event) => {
    find("frame").style.setProperty("--strength", String(event.target.value / 100));
  });
  // The browser tells that the viewer was closed a moment after it has given the focus back; a key may come between.
  function leaveViewer() {
    if (viewer.open || state.open < 0) return;
    document.documentElement.style.overflow = "";
    goTo(state.open);
    state.open = -1;
  }
  viewer.addEventListener("close", leaveViewer);
  // On the whole page: after a click on the photo nothing in the viewer has the focus.
  addEventListener("keydown", (event) => {
    if (!viewer.open || event.altKey || event.ctrlKey || event.metaKey || event.target.type === "range") return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "0") chooseMap(-1);
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= defects.length) {
      const which = Number(event.key) - 1;
      chooseMap(which === state.map ? -1 : which);
    } else return;
    event.preventDefault();
  });

  // A swipe over the photo goes to the next one.
  let touch = null;
  find("stage").addEventListener("touchstart", ({ touches }) => {
    touch = touches.length === 1 ? { x: touches[0].clientX, y: touches[0].clientY } : null;
  }, { passive: true });
  find("stage").addEventListener("touchend", ({ changedTouches, touches }) => {
    if (!touch || touches.length || (visualViewport && visualViewport.scale > 1.01)) return;
    const x = changedTouches[0].clientX - touch.x;
    const y = changedTouches[0].clientY - touch.y;
    touch = null;
    if (Math.abs(x) > 48 && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
  }, { passive: true });

  addEventListener("keydown", (event) => {
    if (event.key !== "/" || viewer.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select")) return;
    event.preventDefault();
    find("search").focus();
    find("search").select();
  });

  document.querySelector('a[href="#failures"]')?.addEventListener("click", () => { find("failures").open = true; });

  describeTiles();
  refresh();
})();
