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
    place.height = photo + (narrow ? 126 : 108);
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
    const { set } = photos[photo];
    if (set != null) {
      const label = card.querySelector(".series");
      label.textContent = `${setName(set)}${sets[set].best === photo ? ": best" : ""}`;
      label.hidden = false;
    }

    const defect = state.order < 0 ? worst : state.order;
    const value = grade(photo, state.order);
    const note = card.querySelector(".finding");
    note.classList.add(VERDICTS[value]);
    const text = describe(photo, defect, value);
    note.lastElementChild.textContent = text;
    const series = set == null ? "" : `, ${card.querySelector(".series").textContent}`;
    card.setAttribute("aria-label", `${name}, ${VERDICTS[value]}, ${text}${series}`);

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
    const hint = photos[photo].hints?.find((told) => told.defect === defect);
    if (state.order < 0) {
      return hint?.direction ? `${defects[defect].title} ${number(defect, severity[defect])} ${hint.direction}` : finding(defect, severity[defect]);
    }
    const rank = percentile?.[defect];
    const side = { "too much": " over", "too little": " under", "": "" }[direction(defect, severity[defect])];
    return number(defect, severity[defect]) + side + (rank == null || value === 0 ? "" : ` · worse than ${rank}%`);
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

