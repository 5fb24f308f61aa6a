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

