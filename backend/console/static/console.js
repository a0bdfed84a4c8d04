// Follows the jobs by server-sent events. Without this file the page works too: it reloads itself.
"use strict";

const POLL_MS = 10000;

function show(job) {
  for (const box of document.querySelectorAll(`[data-job="${CSS.escape(job.id)}"]`)) {
    for (const name of ["headline", "percent", "step", "left"]) {
      const field = box.querySelector(`[data-live="${name}"]`);
      if (field && field.textContent !== String(job[name])) field.textContent = job[name];
    }
    const bar = box.querySelector("progress");
    if (bar) bar.value = job.percent;
  }
}

function announce(words) {
  const region = document.querySelector("[data-announce]");
  if (region) region.textContent = words;
}

// Replaces the parts of the page that changed on the server; forms that people fill in stay.
async function refresh() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other) part.replaceChildren(...other.childNodes);
  }
  load();
}

function states(jobs) {
  return jobs.map((job) => `${job.id}:${job.state}`).join(" ");
}

function follow(address) {
  let known = null;
  let last = [];
  const events = new EventSource(address);
  events.addEventListener("jobs", (event) => {
    const jobs = JSON.parse(event.data);
    jobs.forEach(show);
    if (known !== null && states(jobs) !== known) {
      const changed = jobs.find((job) => !last.some((old) => old.id === job.id && old.state === job.state));
      if (changed) announce(`${changed.headline}. ${changed.step}`);
      refresh();
    }
    known = states(jobs);
    last = jobs;
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setInterval(refresh, POLL_MS);
  });
}

// Fills in what takes Label Studio seconds, one after the other.
async function load() {
  for (const place of document.querySelectorAll("[data-load]")) {
    const answer = await fetch(place.dataset.load, { headers: { Accept: "text/html" } });
    if (!answer.ok) continue;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...fresh.body.childNodes);
  }
}

document.querySelector("[data-focus]")?.focus();
load();
if (document.body.dataset.events) follow(document.body.dataset.events);
