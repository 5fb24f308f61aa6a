  // --- the grid: only what is in sight is in the page ---------------------------------------------------------

  const template = find("card").content.firstElementChild;
  const cards = makeCards(grid, {
    size: () => state.size,
    share: 0.7,
    text: { wide: 108, narrow: 126 },
    count: () => state.shown.length,
    make: makeCard,
  });

  function drawAnew() {
    cards.keep(() => false);
    cards.layOut();
  }

  function makeCard(index) {
    const photo = state.shown[index];
    const { name, path, severity, worst } = photos[photo];
    const item = template.cloneNode(true);
    const card = item.firstElementChild;
    const sharp = cards.place.width * devicePixelRatio > THUMBNAIL_SIDE * 1.6;
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
    return item;
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

  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = cards.step(event.key);
    if (step === undefined) return;
    event.preventDefault();
    leaveViewer();
    cards.goTo(cards.active + step);
  });
  grid.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) show(Number(item.dataset.place));
  });
