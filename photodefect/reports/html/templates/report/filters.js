  // --- orders and filters -------------------------------------------------------------------------------------

  const ADDRESSED = { by: "", verdict: "", sort: "worst", set: "", search: "" };

  // In the fragment: a query would be a new page to browsers that open it from disk.
  function writeAddress() {
    const by = defects[state.order]?.key ?? "";
    const verdict = VERDICTS.filter((_, value) => state.grades.has(value)).join(",");
    const text = writeFields({ by, verdict, sort: state.sort, set: state.set, search: state.query }, ADDRESSED);
    history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
  }

  function readAddress() {
    const wanted = readFields(location.hash.slice(1), ADDRESSED);
    state.order = defects.findIndex(({ key }) => key === wanted.by);
    state.grades = new Set(wanted.verdict.split(",").map((name) => VERDICTS.indexOf(name)).filter((value) => value >= 0));
    state.query = wanted.search;
    find("search").value = wanted.search;
    for (const [field, fallback] of [["sort", "worst"], ["set", ""]]) {
      const control = find(field);
      const there = [...(control?.options ?? [])].some(({ value }) => value === wanted[field]);
      state[field] = there ? wanted[field] : fallback;
      if (control) control.value = state[field];
    }
  }

  function changed() {
    writeAddress();
    refresh();
  }

  function chooseSet(set) {
    state.set = find("set").value = set;
    changed();
  }

  function chooseOrder(order) {
    state.order = order;
    state.grades.clear();
    if (state.sort !== "best") find("sort").value = state.sort = "worst";
    changed();
  }
  for (const tile of tiles) tile.addEventListener("click", () => chooseOrder(orderOf(tile)));
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const value = VERDICTS.indexOf(chip.dataset.grade);
      if (!state.grades.delete(value)) state.grades.add(value);
      changed();
    });
  }
  find("search").addEventListener("input", (event) => { state.query = event.target.value; changed(); });
  find("sort").addEventListener("change", (event) => { state.sort = event.target.value; changed(); });
  find("set")?.addEventListener("change", (event) => chooseSet(event.target.value));
  find("size").addEventListener("input", (event) => {
    state.size = Number(event.target.value);
    drawAnew();
  });
  find("clear")?.addEventListener("click", () => {
    state.grades.clear();
    find("search").value = state.query = "";
    if (sets.length) find("set").value = state.set = "";
    changed();
    find("search").focus();
  });
  if (!photos.some(({ time }) => time)) find("sort").querySelector("[value=time]").remove();
  sets.forEach((_, set) => find("set").append(new Option(`${setName(set)}, ${members[set].length} photos`, String(set + 1))));
  addEventListener("hashchange", () => {
    if (location.hash === "#failures") return;
    if (viewer.open) viewer.close();
    readAddress();
    refresh();
  });

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

