// Follows the jobs by server-sent events. Without this file the page works too: it reloads itself.
"use strict";

const POLL_MS = 10000;

// What the server shows at an address; null while it is away or the page is being left.
async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  } catch {
    return null;
  }
}

// Replaces the parts of the page that change on the server; forms that people fill in stay.
async function refresh() {
  const fresh = await fetched(document.body.dataset.page);
  if (!fresh) return;
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other) part.replaceChildren(...other.childNodes);
  }
  load();
}

// Fills in what takes Label Studio seconds: only what is in sight, one after the other.
let filling = Promise.resolve();

async function fill(place) {
  const fresh = await fetched(place.dataset.load);
  if (fresh) place.replaceChildren(...fresh.body.childNodes);
}

const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    filling = filling.then(() => fill(target));
  }
});

function load() {
  document.querySelectorAll("[data-load]").forEach((place) => sight.observe(place));
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
  const region = document.querySelector("[data-announce]");
  if (region) region.textContent = `${job.headline}. ${job.step}`;
}

// Whether the page, as the server sent it, does not show this job as it is.
function isStale(job) {
  const box = document.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
  return box ? box.dataset.state !== job.state : job.live;
}

function follow(address) {
  let before = null;
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
    if (events.readyState === EventSource.CLOSED) setInterval(refresh, POLL_MS);
  });
}

document.querySelector("[data-focus]")?.focus();
load();
if (document.body.dataset.events) follow(document.body.dataset.events);
