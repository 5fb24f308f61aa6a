  // --- the viewer ---------------------------------------------------------------------------------------------

  const stripItem = find("strip-item").content.firstElementChild;
  const scoreItem = find("score").content.firstElementChild;

  function show(index) {
    state.open = cards.active = index;
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
    enlarge(false);
    find("findings").replaceChildren(...hintLines(photos[photo].hints ?? [], defects));
    fillSet(photo);
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
      const graded = counts(photo, which) ? grade(photo, which) : null;
      fillScore(row, defect, severity[which], graded);
      row.dataset.map = String(which);
      row.disabled = !hasMap(photo, which);
      row.querySelector(".score-rank").textContent = rankOf(graded, percentile?.[which], "reference photos");
      return row;
    });
    find("scores").replaceChildren(...rows);
  }

  function fillSet(photo) {
    const { set } = photos[photo];
    find("series").hidden = set == null;
    if (set == null) return;
    const best = sets[set].best;
    const told = best == null ? "" : best === photo ? "; this is its best" : `; its best is ${photos[best].name}`;
    find("series-text").textContent = `${setName(set)}, ${members[set].length} photos${told}. `;
  }
  find("series-show").addEventListener("click", () => {
    const photo = state.shown[state.open];
    state.grades.clear();
    find("search").value = state.query = "";
    chooseSet(String(photos[photo].set + 1));
    const index = state.shown.indexOf(photo);
    state.open = cards.active = index;
    viewer.close();
  });

  // The photo at its own size, from the original where that is still there and browsers can show it.
  const SHOWN_BY_BROWSERS = /\.(jpe?g|png|webp|avif|gif)$/i;
  function enlarge(on, event) {
    const frame = find("frame");
    const stage = find("stage");
    const was = stage.classList.contains("enlarged");
    if (on === was) return;
    const before = frame.getBoundingClientRect();
    stage.classList.toggle("enlarged", on);
    stage.setAttribute("aria-pressed", String(on));
    if (!on) return;
    const photo = state.shown[state.open];
    const { size, href, path } = photos[photo];
    frame.style.setProperty("--own", String(size[0] / devicePixelRatio));
    if (SHOWN_BY_BROWSERS.test(path)) {
      const original = new Image();
      original.addEventListener("load", () => {
        if (stage.classList.contains("enlarged") && state.shown[state.open] === photo) find("preview").src = href;
      });
      original.src = href;
    }
    const at = event?.clientX ? [(event.clientX - before.left) / before.width, (event.clientY - before.top) / before.height] : [0.5, 0.5];
    stage.scrollTo(at[0] * frame.offsetWidth - stage.clientWidth / 2, at[1] * frame.offsetHeight - stage.clientHeight / 2);
  }
  const toggleEnlarged = (event) => enlarge(!find("stage").classList.contains("enlarged"), event);
  find("stage").addEventListener("click", toggleEnlarged);

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
    note.append(`${defects[which].title}${made ? `: ${made}` : ""}`);
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
    cards.goTo(state.open);
    state.open = -1;
  }
  viewer.addEventListener("close", leaveViewer);
  // On the whole page: after a click on the photo nothing in the viewer has the focus.
  addEventListener("keydown", (event) => {
    if (!viewer.open || event.altKey || event.ctrlKey || event.metaKey || event.target.type === "range") return;
    if (event.key.toLowerCase() === "z") toggleEnlarged();
    else if (event.key === "ArrowRight") step(1);
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
    if (!touch || touches.length || find("stage").classList.contains("enlarged") || (visualViewport && visualViewport.scale > 1.01)) return;
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
  readAddress();
  refresh();
