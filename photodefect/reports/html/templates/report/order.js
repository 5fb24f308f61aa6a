  // --- which photos, in which order ---------------------------------------------------------------------------

  function matching(grades) {
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    const result = [];
    for (let photo = 0; photo < photos.length; photo++) {
      if (grades.size && !grades.has(grade(photo, state.order))) continue;
      if (!inSet(photo)) continue;
      if (words.every((word) => haystack[photo].includes(word))) result.push(photo);
    }
    return result;
  }

  function inSet(photo) {
    const { set } = photos[photo];
    if (state.set === "") return true;
    if (state.set === "in") return set != null;
    if (state.set === "best") return set == null || sets[set].kind !== "burst" || sets[set].best === photo;
    return set === Number(state.set) - 1;
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
    cards.active = 0;
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
    drawAnew();
  }

