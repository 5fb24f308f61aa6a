// Asking the server, and telling the person what went wrong.
const toast = document.getElementById("toast");
const said = document.getElementById("said");
let hiding = 0;

export function tell(message) {
  toast.textContent = message;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 8000);
  // What lies above everything else is the topmost dialog.
  (document.querySelector("dialog[open]:last-of-type") ?? document.body).append(toast);
}

// For screen readers alone.
export function say(message) {
  said.textContent = message;
  (document.querySelector("dialog[open]") ?? document.body).append(said);
}

async function answerOf(request) {
  let answer;
  try {
    answer = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("photodefect review was ended, or can't be reached. Marks made before are kept; start it again to go on.");
  }
  if (answer.ok) return answer;
  let message = `the server answered ${answer.status}`;
  const text = await answer.text();
  try {
    message = JSON.parse(text).error ?? message;
  } catch {
    message = text.trim().split("\n")[0] || message;
  }
  throw new Error(message);
}

export async function get(address, options = {}) {
  return (await answerOf(fetch(address, options))).json();
}

export async function post(address, body, { keepalive = false } = {}) {
  return answerOf(fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive, // sent also when the page is being closed; browsers allow it for little
    priority: "high",
  }));
}
