/** The view "Jobs": what waits at the vendors now, and what only a person can tell. */

import { Fragment, h } from "./host.js";
import { useAnswer } from "./api.js";
import { Chip, Empty, Facts, Glyph, Links, Part, Section, words } from "./parts.js";
import { Presses } from "./press.js";
import { Time, away, count, duration, secondsTo } from "./time.js";

const STATES = {
  queued: ["wait", "clock"], running: ["busy", "play"], waiting: ["wait", "person"], cancelling: ["late", "clock"],
  unknown: ["wait", "question"], succeeded: ["good", "check"], failed: ["bad", "cross"], cancelled: ["late", "cross"],
  gone: ["bad", "question"],
};

export function Jobs() {
  const answer = useAnswer("jobs", 10);
  const aside = answer.data && h("span", { className: "ns-mute" }, count(answer.data.jobs.length, "job"));
  return h(
    Section, { title: "Jobs at the vendors", id: "ns-jobs", aside },
    h(Part, { answer, rows: 4 }, ({ jobs, now, troubles }) => (jobs.length === 0
      ? h(
        Empty, troubles.length > 0 ? { title: "Nothing waits at a vendor of what can be read", glyph: "question" } : { title: "Nothing waits at a vendor", glyph: "check" },
        "Exports, builds and deployments are here from the moment they are asked for until the vendor says how they ended.",
      )
      : h("ul", { className: "ns-cards" }, jobs.map((job) => h("li", { key: keyOf(job) }, h(Job, { job, now })))))),
  );
}

const keyOf = (job) => [job.dag_id, job.run_id, job.task_id, job.map_index].join("/");

/** @param {{job: import("./types.js").JobLine, now: string}} props */
function Job({ job, now }) {
  const [tone, glyph] = Object.hasOwn(STATES, job.state) ? STATES[job.state] : ["wait", "question"];
  return h(
    "article", { className: job.doubt ? "ns-card ns-edge-bad" : "ns-card", "aria-label": job.subject },
    h(
      "div", { className: "ns-card-head" },
      h("h3", null, job.subject),
      h(Chip, job.doubt ? { tone: "bad", glyph: "question" } : { tone, glyph }, job.doubt ? "in doubt" : words(job.state)),
    ),
    h("div", { className: "ns-mute" }, job.vendor, " · ", h("code", null, job.connection), job.attempt > 1 && ` · attempt ${job.attempt}`),
    job.doubt && h("p", { className: "ns-why ns-bad" }, h(Glyph, { of: "question" }), job.doubt),
    job.text && h("p", { className: "ns-why" }, job.text),
    h(Facts, {
      of: [
        ["job", job.job_id ? h("code", null, job.job_id) : "its id is not known"],
        ["the vendor says", job.vendor_state && words(job.vendor_state)],
        ["asked", job.asked && h(Fragment, null, h(Time, { at: job.asked }), waited(job))],
        ["last look", job.seen && away(job.seen, now)],
        ["next look", job.next_look && (secondsTo(job.next_look, now) > 0 ? away(job.next_look, now) : "now")],
        ["until", job.deadline && h(Fragment, null, h(Time, { at: job.deadline }), ` (${away(job.deadline, now)})`)],
      ],
    }),
    h(Progress, { job, now }),
    h(Presses, { presses: job.presses, quiet: !job.doubt }),
    h(Links, { links: job.links }),
  );
}

const waited = (job) => job.waiting_seconds !== null && `, waits ${duration(job.waiting_seconds)}`;

/** How much of the time that the wait has is used up. */
function Progress({ job, now }) {
  if (!job.asked || !job.deadline) return null;
  const whole = secondsTo(job.deadline, job.asked);
  const used = Math.max(0, Math.min(1, secondsTo(now, job.asked) / whole));
  return h("progress", { className: "ns-progress", value: used, max: 1, "aria-label": "Time of the wait that is used up" });
}
