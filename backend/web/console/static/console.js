// Follows the jobs by server-sent events. Without this file the page works too: it reloads itself.
"use strict";

const POLL_MS = 10000;

// What the server shows at an address; null while it is away or the page is being left.
async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    return localized(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    return null;
  }
}

// The server knows UTC; people read the time of their own clock.
function localized(page) {
  for (const time of page.querySelectorAll("time")) {
    time.title = time.textContent;
    const moment = new Date(time.dateTime);
    time.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  return page;
}

// Replaces the parts of the page that changed on the server; forms that people fill in stay.
async function refresh() {
  const fresh = await fetched(document.body.dataset.page);
  if (!fresh) return;
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && !part.isEqualNode(other)) renew(part, other);
  }
  load();
}

function renew(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : null;
  for (const element of part.querySelectorAll("[id]")) {
    const other = fresh.querySelector(`#${CSS.escape(element.id)}`);
    if (other) takeOver(element, other);
  }
  part.replaceChildren(...fresh.childNodes);
  if (focused === null) return;
  document.getElementById(focused)?.focus({ preventScroll: true });
  if (!part.contains(document.activeElement)) {
    document.getElementById("main").focus({ preventScroll: true });
  }
}

// What people opened, chose, or waited for outlives the element that showed it.
function takeOver(element, other) {
  if (element.localName === "details") other.open = element.open;
  if (element.type === "radio" && element.checked !== element.defaultChecked) {
    other.checked = element.checked;
  }
  if (element.localName === "select") choose(other, element.selectedOptions[0]);
  if ("loaded" in element.dataset) {
    other.replaceChildren(...element.childNodes);
    if (element.dataset.since === other.dataset.since) other.dataset.loaded = "";
  }
}

function choose(select, option) {
  if (!option || option.defaultSelected) return;
  const same = [...select.options].find((other) => other.value === option.value);
  if (same) same.selected = true;
}

// Fills in what takes Label Studio seconds: only what is in sight, one after the other.
let filling = Promise.resolve();

async function fill(place) {
  const fresh = place.isConnected ? await fetched(place.dataset.load) : null;
  if (!fresh) return;
  renew(place, fresh.body);
  place.dataset.loaded = "";
}

const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    filling = filling.then(() => fill(target));
  }
});

function load() {
  const places = document.querySelectorAll("[data-load]:not([data-loaded])");
  places.forEach((place) => sight.observe(place));
}

function show(job) {
  for (const box of document.querySelectorAll(`[data-job="${CSS.escape(job.id)}"]`)) {
    for (const field of box.querySelectorAll("[data-live]")) {
      const value = String(job[field.dataset.live]);
      if (field.tagName === "PROGRESS") field.value = value;
      else if (field.textContent !== value) field.textContent = value;
    }
  }
}

function announce(job) {
  const project = document.getElementById(`project-${job.project}`);
  const said = `${job.headline}. ${job.step}`;
  const region = document.querySelector("[data-announce]");
  region.textContent = project ? `${project.textContent}: ${said}` : said;
}

// Whether the page, as the server sent it, does not show this job as it is.
function isStale(job) {
  const box = document.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
  return box ? box.dataset.state !== job.state : job.live;
}

// Starts to follow the jobs; answers how to end it. A refused stream is replaced by asking.
function follow(address) {
  let before = null;
  let asking = null;
  const events = new EventSource(address);
  events.addEventListener("jobs", (event) => {
    const jobs = JSON.parse(event.data);
    jobs.forEach(show);
    const changed = jobs.find((job) => (before ? before.get(job.id) !== job.state : isStale(job)));
    if (changed) {
      announce(changed);
      refresh();
    }
    before = new Map(jobs.map((job) => [job.id, job.state]));
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) asking ??= setInterval(refresh, POLL_MS);
  });
  return () => {
    events.close();
    clearInterval(asking);
  };
}

// A browser has six connections to a server: a page that nobody looks at gives its own back.
function followInSight(address) {
  let leave = document.hidden ? null : follow(address);
  document.addEventListener("visibilitychange", () => {
    leave?.();
    leave = document.hidden ? null : follow(address);
    if (!document.hidden) refresh();
  });
}

localized(document);
document.querySelector("[data-focus]")?.focus();
load();
if (document.body.dataset.events) followInSight(document.body.dataset.events);
