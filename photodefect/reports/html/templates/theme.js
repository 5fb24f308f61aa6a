// Before anything is drawn, so that a page kept dark doesn't flash white.
"use strict";
try {
  const theme = localStorage.getItem("photodefect-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that stores nothing for pages from disk: the system's choice holds.
}
