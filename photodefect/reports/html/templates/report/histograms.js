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

