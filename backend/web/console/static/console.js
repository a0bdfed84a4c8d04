// Follows jobs by server-sent events. The page also works without this file, by reloading itself.
"use strict";

const POLL_MS = 10000;

// Fetches a page as a document; null if the server is down or the page is being left.
async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    return localized(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    return null;
  }
}

// Converts times from UTC to the local time zone.
function localized(page) {
  for (const time of page.querySelectorAll("time")) {
    time.title = time.textContent;
    const moment = new Date(time.dateTime);
    time.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  return page;
}

// Replaces the parts of the page that changed on the server; filled-in forms stay.
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

// Keeps opened details, choices and loaded parts when their element is replaced.
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

// Loads slow parts when they become visible, one at a time.
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
  const text = `${job.headline}. ${job.step}`;
  const region = document.querySelector("[data-announce]");
  region.textContent = project ? `${project.textContent}: ${text}` : text;
}

// Whether the page shows an outdated state of this job.
function isStale(job) {
  const box = document.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
  return box ? box.dataset.state !== job.state : job.live;
}

// Follows the jobs and returns a function that stops. Polls if the stream is refused.
function follow(address) {
  let before = null;
  let polling = null;
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
    if (events.readyState === EventSource.CLOSED) polling ??= setInterval(refresh, POLL_MS);
  });
  return () => {
    events.close();
    clearInterval(polling);
  };
}

// Hidden pages close their stream: a browser opens at most six connections to a server.
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
