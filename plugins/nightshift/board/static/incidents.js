/** The view "Incidents": what the watch found, since when, why, what depends on it and what to do. */

import { Fragment, h } from "./host.js";
import { useAnswer } from "./api.js";
import { Chip, Empty, Facts, Links, Part, Section, joined, words } from "./parts.js";
import { Time, away, duration, nightShortly, secondsTo } from "./time.js";

const UNSEEN_SECONDS = 3600;

/** Whether the watch, which looks every few minutes, has done so. @param {{watched: string | null, now: string}} data */
export const looksNow = (data) => data.watched !== null && -secondsTo(data.watched, data.now) < UNSEEN_SECONDS;

/** What to say where it has not. @param {{watched: string | null}} data */
export const notLooking = (data) => (data.watched ? "The watch has not looked for an hour" : "The watch has not looked yet");

/** Whether it says something that there is no incident. @param {import("./types.js").IncidentsAnswer} data */
const quiet = (data) => looksNow(data) && data.troubles.length === 0;

export function Incidents() {
  const answer = useAnswer("incidents");
  return h(
    Section, { title: "Incidents", id: "ns-incidents", aside: answer.data && h(Watched, { data: answer.data }) },
    h(Part, { answer, rows: 4 }, (data) => (data.incidents.length === 0
      ? h(
        Empty, quiet(data) ? { title: "No incident", glyph: "check" } : { title: "No incident is known", glyph: "question" },
        data.troubles.length > 0 ? "Not all of it can be read; what that is, is told above."
          : quiet(data) ? "The watch looks every few minutes, and found nothing late, missing or unsound."
            : `${notLooking(data)}: is the DAG nightshift_watch there, and not paused?`,
      )
      : h("ul", { className: "ns-cards" }, data.incidents.map((one) =>
        h("li", { key: one.id }, h(Incident, { one, now: data.now })))))),
  );
}

/** @param {{data: import("./types.js").IncidentsAnswer}} props */
const Watched = ({ data }) =>
  h("span", { className: "ns-mute" }, joined([
    data.mean_seconds_to_restore !== null && `restored in ${duration(data.mean_seconds_to_restore)} on the average of 90 days`,
    data.watched ? h(Fragment, null, "the watch looked ", away(data.watched, data.now)) : "the watch has not looked yet",
  ]));

/** @param {{one: import("./types.js").IncidentLine, now: string}} props */
export function Incident({ one, now }) {
  return h(
    "article", { className: one.closed ? "ns-card ns-closed" : "ns-card ns-edge-bad", "aria-label": one.title },
    h(
      "div", { className: "ns-card-head" }, h("h3", null, one.title),
      h(Chip, one.closed ? { tone: "good", glyph: "check" } : { tone: "bad", glyph: "bolt" }, one.closed ? "closed" : words(one.kind)),
    ),
    h("div", { className: "ns-mute" }, joined([one.subject, one.night && `night ${nightShortly(one.night)}`, one.closed && words(one.kind)])),
    one.cause && h("p", { className: "ns-why" }, one.cause),
    h(Facts, {
      of: [
        ["since", h(Fragment, null, h(Time, { at: one.since }), one.closed === null && ` (${duration(-secondsTo(one.since, now))})`)],
        ["restored after", one.closed && h(Fragment, null, duration(secondsTo(one.closed, one.since)), " (", h(Time, { at: one.closed }), ")")],
        ["depend on it", one.depends.length > 0 && one.depends.join(", ")],
        ["what to do", one.advice],
      ].map(([name, value]) => [name, value === false ? null : value]),
    }),
    h(Links, { links: one.links }),
  );
}
