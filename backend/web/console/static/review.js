// Walls of predicted images: the person marks what is wrong and confirms the rest by one key.
"use strict";

const root = document.querySelector("[data-review]");
const one = (selector) => document.querySelector(selector);
const PER_SCREEN = 24;
const KEPT = 10;
const SVG = "http://www.w3.org/2000/svg";
const noun = root?.dataset.noun ?? "image";
const Noun = `${noun[0].toUpperCase()}${noun.slice(1)}`;
const percent = (share) => `${Math.round(100 * share)} %`;

const labels = root ? JSON.parse(one("#review-labels").textContent) : [];
const controls = root ? JSON.parse(one("#review-controls").textContent) : {};
const colors = new Map(labels.map(({ name, color }) => [name, color]));

let filter = { label: new URLSearchParams(location.search).get("label") ?? "", least: 0 };
let screen = null; // { name, images, isOld }
let next = null; // the promise of the following screen
let past = []; // confirmed screens, the newest last

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// An answer that says no; sending the same again would not help.
class Refusal extends Error {}

async function call(path, body) {
  const headers = { Accept: "application/json" };
  if (body) Object.assign(headers, { "Content-Type": "application/json", "X-Form-Token": root.dataset.token });
  const options = body ? { method: "POST", headers, body: JSON.stringify(body), keepalive: true } : { headers };
  const answer = await fetch(`${root.dataset.review}${path}`, options);
  if (answer.ok) return answer.json();
  const { error } = await answer.json().catch(() => ({}));
  const text = error?.message ?? `the server answered ${answer.status}`;
  throw answer.status < 500 ? new Refusal(text) : new Error(text);
}

async function load(skip = 0) {
  const asked = new URLSearchParams({ label: filter.label, from: filter.least, skip });
  const { images } = await call(`/screen?${asked}`);
  for (const image of images) {
    Object.assign(image, { verdict: "confirmed", changes: {}, chosen: 0 });
    if (image.thumbnail) new Image().src = image.thumbnail;
  }
  const name = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
  return { name, images, isOld: false };
}

// Says something, and to screen readers too.
function say(text) {
  one("[data-status]").textContent = text;
}

async function begin() {
  const asked = { ...filter };
  say("Loading …");
  next = null;
  try {
    const loaded = await load();
    if (asked.label === filter.label && asked.least === filter.least) show(loaded);
  } catch (error) {
    say(`Cannot load ${noun}s: ${error.message}`);
  }
}

function show(fresh) {
  screen = fresh;
  const { images, isOld } = fresh;
  one("[data-wall]").replaceChildren(...images.map(tile));
  one("[data-empty]").hidden = images.length > 0;
  refresh();
  one("[data-wall] button")?.focus({ preventScroll: true });
  say(images.length ? `${images.length} ${noun}s${isOld ? ", decided before" : ""}` : "Nothing is left to review here.");
  if (images.length && !isOld) {
    next = load(images.length);
    next.catch(() => {}); // asked for again when it is needed
  }
}

// The labels of a part, with changes.
function labelsOf(image, position) {
  return image.changes[position] ?? image.parts[position]?.labels ?? [];
}

function words(image) {
  const named = image.parts.flatMap((_, position) => labelsOf(image, position));
  return [...new Set(named)].join(", ") || "nothing found";
}

// How sure the model is; of rectangles, how many there are and how sure it is of them on average.
function sureness(image) {
  const boxes = image.parts.filter(({ box }) => box).length;
  return boxes ? `${boxes} ${boxes === 1 ? "box" : "boxes"}, ${percent(image.confidence)}` : percent(image.confidence);
}

function tile(image) {
  const shown = image.thumbnail
    ? element("img", { src: image.thumbnail, alt: "" })
    : element("span", { class: "excerpt" }, image.text); // a text node: markup in it stays text
  const picture = element("span", { class: "picture" }, shown);
  const caption = element("span", { class: "caption" }, element("span", { class: "named" }), element("span", { class: "score" }));
  const button = element("button", { type: "button", class: "tile" }, element("span", { class: "sight" }, picture), caption);
  button.addEventListener("click", () => toggle(image));
  image.button = button;
  paint(image);
  return element("li", {}, button);
}

const SPOKEN = { confirmed: "", wrong: ", marked wrong", relabeled: ", relabeled" };
const SEEN = { wrong: "✗ wrong", relabeled: "✎ changed" };

function paint(image) {
  const { button, verdict } = image;
  button.dataset.verdict = verdict;
  button.dataset.task = image.task;
  button.setAttribute("aria-pressed", String(verdict === "wrong"));
  button.setAttribute("aria-label", `${image.text ?? `${Noun} ${image.task}`}: ${words(image)}, ${sureness(image)}${SPOKEN[verdict]}`);
  const swatch = square(labelsOf(image, 0)?.[0]);
  button.querySelector(".named").replaceChildren(swatch, words(image));
  button.querySelector(".score").textContent = SEEN[verdict] ?? sureness(image);
  drawBoxes(image);
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function square(label) {
  const swatch = shape("svg", { class: "swatch", viewBox: "0 0 1 1", "aria-hidden": "true" });
  swatch.append(shape("rect", { width: 1, height: 1, fill: colors.get(label) ?? "gray" }));
  return swatch;
}

function drawBoxes(image) {
  const boxes = image.parts.map((part, position) => ({ ...part, position })).filter((part) => part.box);
  image.button.querySelector(".picture svg")?.remove();
  if (!boxes.length) return;
  const drawing = shape("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const { box, position } of boxes) {
    const chosen = boxes.length > 1 && image.verdict !== "wrong" && position === image.chosen && image.isChoosing;
    drawing.append(shape("rect", {
      class: chosen ? "box chosen" : "box", x: box.x, y: box.y, width: box.width, height: box.height,
      stroke: colors.get(labelsOf(image, position)[0]) ?? "gray",
    }));
  }
  image.button.querySelector(".picture").append(drawing);
}

function toggle(image) {
  const isChanged = Object.keys(image.changes).length > 0;
  image.verdict = image.verdict === "wrong" ? (isChanged ? "relabeled" : "confirmed") : "wrong";
  paint(image);
  refresh();
}

function relabel(image, number) {
  const part = image.parts[image.chosen];
  const { labels: offered, several } = controls[part?.control] ?? { labels: [] };
  const label = offered[number - 1];
  if (!label) return;
  const before = labelsOf(image, image.chosen);
  const toggled = before.includes(label) ? before.filter((other) => other !== label) : [...before, label];
  const wanted = several ? toggled : [label];
  if (!wanted.length) return;
  image.changes[image.chosen] = wanted;
  if (String(wanted) === String(part.labels)) delete image.changes[image.chosen];
  image.verdict = Object.keys(image.changes).length ? "relabeled" : "confirmed";
  paint(image);
  refresh();
  say(`${Noun} ${image.task}: ${words(image)}`);
}

function chooseBox(image) {
  if (image.parts.length < 2) return;
  image.chosen = image.isChoosing ? (image.chosen + 1) % image.parts.length : image.chosen;
  image.isChoosing = true;
  paint(image);
  say(`Part ${image.chosen + 1} of ${image.parts.length}: ${labelsOf(image, image.chosen).join(", ")}`);
}

function refresh() {
  const images = screen?.images ?? [];
  const wrong = images.filter((image) => image.verdict === "wrong").length;
  const changed = images.filter((image) => image.verdict === "relabeled").length;
  const parts = [`Confirm ${images.length - wrong - changed}`];
  if (changed) parts.push(`relabel ${changed}`);
  if (wrong) parts.push(`${wrong} wrong`);
  one("[data-confirm]").textContent = images.length ? `${parts.join(", ")} (Enter)` : "Confirm";
  one("[data-confirm]").disabled = !images.length;
  one("[data-previous]").disabled = !past.length;
  one("[data-undo]").disabled = !past.length;
}

// Sends the screen; it waits in the server's file until Label Studio has it.
let sending = Promise.resolve();
let waiting = 0;

function send(sent) {
  const decisions = sent.images.map(({ task, verdict, changes }) => ({ task, verdict, changes }));
  waiting += 1;
  sending = sending.then(async () => {
    for (let pause = 1000; ; pause = Math.min(2 * pause, 30000)) {
      try {
        await call("/decisions", { screen: sent.name, version: root.dataset.version, decisions });
        break;
      } catch (error) {
        if (error instanceof Refusal) return say(`Not saved: ${error.message}`);
        say(`Not saved yet (${error.message}); trying again …`);
        await new Promise((done) => setTimeout(done, pause));
      }
    }
  }).finally(() => { waiting -= 1; follow(); });
}

async function confirmScreen() {
  if (!screen?.images.length) return;
  const sent = screen;
  const following = sent.isOld ? null : next;
  send(sent);
  past = [...past.filter((other) => other.name !== sent.name), sent].slice(-KEPT);
  screen = null;
  refresh();
  const seen = new Set(past.flatMap(({ images }) => images.map(({ task }) => task)));
  const ahead = following ? await following.catch(() => null) : null;
  const fresh = ahead?.images.filter(({ task }) => !seen.has(task)) ?? [];
  if (fresh.length) return show({ ...ahead, images: fresh });
  await sending;
  await begin();
}

async function takeBack(body, text) {
  await sending;
  try {
    const { reopened } = await call("/undo", body);
    screen = null; // what it shows is asked for anew
    one("[data-wall]").replaceChildren();
    refresh();
    follow();
    await settle();
    await begin();
    say(`${text}: ${reopened} ${noun}s are open again.`);
  } catch (error) {
    say(`Not undone: ${error.message}`);
  }
}

// Waits until Label Studio has taken back what it must, for a minute at most.
async function settle() {
  for (let tries = 0; tries < 120 && (await call("/state").catch(() => ({}))).unsaved; tries += 1) {
    await new Promise((done) => setTimeout(done, 500));
  }
}

function undoLast() {
  const last = past.pop();
  if (last) takeBack({ screen: last.name }, "Undone");
}

// Shows the newest confirmed screen again, to be changed and confirmed once more.
function showPrevious() {
  const index = past.findIndex(({ name }) => name === screen?.name);
  const previous = past[(index < 0 ? past.length : index) - 1];
  if (previous) show({ ...previous, isOld: true });
}

// Follows what is saved, until all is.
let following = null;

function follow() {
  following ??= setInterval(update, 1500);
  update();
}

async function update() {
  let state;
  try {
    state = await call("/state");
  } catch {
    return;
  }
  fillTable(state.labels);
  const problems = state.problems.map((problem) => element("li", {}, problem));
  one("[data-problems]").replaceChildren(...problems);
  if (state.unsaved) return say(`${state.saved} saved, ${state.unsaved} on the way to Label Studio …`);
  if (state.saved && !waiting) say(`All ${state.saved} decisions are saved in Label Studio.`);
  clearInterval(following);
  following = null;
}

function fillTable(rows) {
  const focused = document.activeElement?.closest?.("[data-label]")?.dataset.label;
  one("[data-labels]").replaceChildren(...rows.map(({ label, images, confidence }) => {
    const pressed = String(label === filter.label);
    const button = element("button", { type: "button", class: "pick", "aria-pressed": pressed }, label);
    const row = element("tr", { "data-label": label }, element("th", { scope: "row" }, button),
      element("td", { class: "number" }, String(images)), element("td", { class: "number" }, percent(confidence)));
    if (label === focused) queueMicrotask(() => button.focus());
    return row;
  }));
}

function pick(label) {
  filter = { ...filter, label: filter.label === label ? "" : label };
  showPick();
  begin();
}

function showPick() {
  for (const row of document.querySelectorAll("[data-label]")) {
    row.querySelector(".pick").setAttribute("aria-pressed", String(row.dataset.label === filter.label));
  }
  one("[data-wall-title]").textContent = filter.label || "All labels";
  one("[data-undo-label]").disabled = !filter.label;
}

// Moves the focus in the wall by rows and columns as they are shown.
function move(key) {
  const tiles = [...document.querySelectorAll(".tile")];
  const here = tiles.indexOf(document.activeElement);
  if (here < 0) return tiles[0]?.focus();
  const row = tiles.filter((other) => other.offsetTop === tiles[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[key];
  tiles[here + step]?.focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  const isElsewhere = target.closest("a, input, select, summary, button:not(.tile)") !== null;
  const image = screen?.images.find((other) => other.button === document.activeElement);
  const key = event.key;
  if (key.startsWith("Arrow") && target.type !== "range") move(key);
  else if (key === "Enter" && !isElsewhere) confirmScreen();
  else if (key.toLowerCase() === "u" && target.type !== "range") undoLast();
  else if (key.toLowerCase() === "p") showPrevious();
  else if (key.toLowerCase() === "b" && image) chooseBox(image);
  else if (/^[1-9]$/.test(key) && image) relabel(image, Number(key));
  else return;
  event.preventDefault();
}

function start() {
  document.addEventListener("keydown", onKey);
  one("[data-labels]").addEventListener("click", (event) => {
    const row = event.target.closest(".pick")?.closest("[data-label]");
    if (row) pick(row.dataset.label);
  });
  one("#least").addEventListener("input", ({ target }) => {
    one("[data-least]").textContent = `${target.value} %`;
  });
  one("#least").addEventListener("change", ({ target }) => {
    filter = { ...filter, least: target.value / 100 };
    begin();
  });
  one("[data-confirm]").addEventListener("click", confirmScreen);
  one("[data-previous]").addEventListener("click", showPrevious);
  one("[data-undo]").addEventListener("click", undoLast);
  one("[data-undo-label]").addEventListener("click", () => takeBack({ label: filter.label }, filter.label));
  window.addEventListener("beforeunload", (event) => waiting && event.preventDefault());
  const offered = Object.values(controls)[0]?.labels ?? [];
  one("[data-keys]").replaceChildren(...offered.slice(0, 9).map((label, place) =>
    element("li", {}, element("kbd", {}, String(place + 1)), ` ${label}`)));
  one("[data-box-help]").hidden = !Object.values(controls).some(({ boxes }) => boxes);
  showPick();
  begin();
  follow();
}

if (root) start();
