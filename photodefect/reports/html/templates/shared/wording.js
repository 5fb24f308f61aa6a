// How severities are put into words and rows: the same in the report and in the review.
export const VERDICTS = ["good", "mild", "severe"];

export function numberOf(defect, value) {
  const size = Math.abs(value).toFixed(2);
  if (!defect.signed || size === "0.00") return size;
  return (value < 0 ? "−" : "+") + size;
}

export const directionOf = (defect, value) =>
  !defect.signed || Math.abs(value) < 0.005 ? "" : value < 0 ? "too little" : "too much";

// Of what is good nothing is said to be worse than others.
export function rankOf(grade, percentile, compared) {
  if (grade == null) return "not judged: monochrome";
  return grade === 0 || percentile == null ? "" : `worse than ${percentile}% of ${compared}`;
}

// One row of the severities: a name, a number, and a bar with the thresholds.
export function fillScore(row, defect, value, grade) {
  row.classList.add(grade == null ? "none" : VERDICTS[grade]);
  row.querySelector(".score-name").textContent = defect.title;
  row.querySelector(".score-value").textContent =
    grade == null ? "n/a" : [grade ? directionOf(defect, value) : "", numberOf(defect, value)].filter(Boolean).join(" ");
  const fill = row.querySelector(".scale-fill");
  const ticks = row.querySelectorAll(".tick");
  if (defect.signed) {
    row.querySelector(".scale").classList.add("middle");
    fill.style.left = `${50 + Math.min(0, value) * 50}%`;
    fill.style.width = `${Math.abs(value) * 50}%`;
  } else fill.style.width = `${value * 100}%`;
  [defect.mild, defect.severe].forEach((limit, at) => {
    ticks[at].style.left = defect.signed ? `${50 + (value < 0 ? -limit : limit) * 50}%` : `${limit * 100}%`;
  });
}

// What could be done about each defect, the worst first.
export function hintLines(hints, defects) {
  return hints.map(({ defect, grade, hint }) => {
    const line = document.createElement("p");
    const name = document.createElement("strong");
    line.className = `hint ${grade}`;
    name.textContent = defects[defect].title;
    line.append(name, `: ${hint}`);
    return line;
  });
}
