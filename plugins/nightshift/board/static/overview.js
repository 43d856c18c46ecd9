/** The first view: the newest night, the line, promotions and figures at a glance, what needs somebody, and both grids. */

import { Fragment, RouterLink, h } from "./host.js";
import { useAnswer } from "./api.js";
import { figureText, figuresOf, stagesOf } from "./figures.js";
import { looksNow, notLooking } from "./incidents.js";
import { Nights } from "./nights.js";
import { CELLS, Glyph, Part, joined, stateOf } from "./parts.js";
import { Presses } from "./press.js";
import { Lanes, Wait } from "./promotions.js";
import { Time, away, count, nightShortly, number } from "./time.js";

const GOOD = ["published", "rebuilt", "empty"];
/** Tones of what somebody has to look at. */
const PRESSING = ["bad", "late", "wait"];

/** What is wrong with a sign-in, and how it is shown. */
const SIGN_INS = {
  never: ({ connection }) => ["bad", "person", `Nobody has signed in for the connection ${connection}`],
  ended: ({ connection }) => ["bad", "person", `The sign-in of the connection ${connection} has ended`],
  unreadable: ({ connection }) => ["bad", "question", `The sign-in of the connection ${connection} cannot be read`],
  ends_soon: ({ connection, ends }, now) => ["late", "clock", `The sign-in of the connection ${connection} ends ${ends ? away(ends, now) : "soon"}`],
};

/** Whether parts of the answer are not whole. @param {import("./types.js").Overview} data */
const isPartial = (data, ...parts) => data.troubles.some((trouble) => parts.includes(trouble.part));

/** The night that the reports are of, or the first and the last of them. @param {import("./types.js").NightTile} night */
const nightsOf = ({ night, oldest }) =>
  (oldest ? `nights of ${nightShortly(oldest)} to ${nightShortly(night)}` : `night of ${nightShortly(night)}`);

/** @param {{place: import("./place.js").Place}} props */
export function OverviewView({ place }) {
  const answer = useAnswer("overview");
  return h(
    Fragment, null,
    h(Part, { answer, rows: 2 }, (data) => h(Tiles, { data, way: (view) => ({ search: place.to(view) }) })),
    h(Nights, { place, tools: false, beside: answer.data ? h(Needs, { data: answer.data, place }) : null }),
    h(Lanes, { place }),
  );
}

/**
 * A tile that leads to its view.
 *
 * @param {{title: string, to: import("./place.js").Way, value: any, tone?: string, children?: any}} props
 */
const Tile = ({ title, to, value, tone = "", children }) =>
  h(
    RouterLink, { to, className: `ns-tile ns-tile-link${tone ? ` ns-edge-${tone}` : ""}` },
    h("span", { className: "ns-mute" }, title), h("b", null, value), h("span", { className: "ns-tile-more" }, children),
  );

/**
 * @param {{data: import("./types.js").Overview, way: (view: string) => import("./place.js").Way, presses?: boolean}} props
 */
export function Tiles({ data, way, presses = true }) {
  const { night, promotions, line, figures, incidents_open: incidents } = data;
  // Those of the last stage tell most.
  const last = figuresOf(figures ?? [], stagesOf(figures ?? []).at(-1) ?? "");
  return h(
    "div", { className: "ns-tiles" },
    night && h(NightTile, { night, partial: isPartial(data, "nights", "configuration"), to: way("nights") }),
    promotions && h(
      Tile,
      {
        title: "Promotions", to: way("promotions"), value: `${number(promotions.under_way)} under way`,
        tone: promotions.failed.length > 0 ? "bad" : "",
      },
      promotions.failed.length > 0
        ? h("span", { className: "ns-bad" }, `failed: ${promotions.failed.join(", ")}`)
        : promotions.waiting.length > 0 ? promotions.waiting[0].text
          : isPartial(data, "promotions", "configuration") ? "nothing waits of what can be read" : "nothing waits",
    ),
    line && h(
      Tile, { title: "Line", to: way("promotions"), value: line.moving ? "moving" : "stopped", tone: line.moving ? "" : "late" },
      h(NextStop, { line }),
    ),
    incidents !== null && h(
      Tile,
      { title: "Incidents", to: way("incidents"), value: incidents === 0 ? "none" : `${number(incidents)} open`, tone: incidents > 0 ? "bad" : "" },
      incidents > 0 ? "what to do is with each"
        : data.watched ? h(Fragment, null, "the watch looked ", away(data.watched, data.now)) : "the watch has not looked yet",
    ),
    last.length > 0 && h(
      Tile, { title: last[0].label, to: way("promotions"), value: figureText(last[0]) },
      joined(last.slice(1, 4).map((figure) => `${figure.label}: ${figureText(figure)}`)),
    ),
    presses && h(Presses, { presses: data.presses, quiet: true }),
  );
}

/**
 * The states that reports of a night are in and that are not good, each with how it is shown.
 *
 * @param {import("./types.js").NightTile} night
 */
const notGood = (night) =>
  Object.keys(night.states).filter((state) => !GOOD.includes(state) && night.states[state] > 0).map((state) => /** @type {const} */ ([state, stateOf(CELLS, state)]));

/** @param {{night: import("./types.js").NightTile, partial: boolean, to: import("./place.js").Way}} props */
function NightTile({ night, partial, to }) {
  const good = GOOD.reduce((sum, state) => sum + (night.states[state] ?? 0), 0);
  const others = notGood(night);
  const worst = others.map(([, state]) => state.tone);
  const tone = worst.includes("bad") ? "bad" : worst.includes("late") ? "late" : "";
  return h(
    Tile, { title: nightsOf(night).replace("n", "N"), to, value: `${number(good)} of ${number(night.reports)}`, tone },
    others.length === 0 && (night.reports === 0 ? "no report is configured" : partial ? "all published of what can be read" : "all published"),
    joined(others.map(([state, { name, tone: of, glyph }]) => h(
      "span", { className: `ns-${of}` }, h(Glyph, { of: glyph }), ` ${night.states[state]} ${name}`,
    ))),
    night.late_since && h(Fragment, null, " since ", h(Time, { at: night.late_since })),
  );
}

/** @param {{line: import("./types.js").LineTile}} props */
function NextStop({ line }) {
  const [hold] = line.holds;
  const freeze = line.freezes.find((one) => one.on) ?? line.freezes[0];
  if (hold) return h(Fragment, null, `by ${hold.by}`, hold.until && h(Fragment, null, " until ", h(Time, { at: hold.until })));
  if (!freeze) return "no freeze is near";
  return freeze.on
    ? h(Fragment, null, `${freeze.name} until `, h(Time, { at: freeze.ends }))
    : h(Fragment, null, `${freeze.name} from `, h(Time, { at: freeze.begins }));
}

/** What needs somebody, the worst first; each line leads to where it can be done. */
function Needs({ data, place }) {
  const { night } = data;
  const lines = [
    data.incidents_open > 0 && ["bad", "bolt", `${count(data.incidents_open, "incident")} open`, "incidents"],
    ...(night ? notGood(night) : []).filter(([, { tone }]) => PRESSING.includes(tone)).map(([state, { name, tone, glyph }]) => [
      tone, glyph, `${count(night.states[state], "report")} ${name}, ${nightsOf(night)}`, "nights",
    ]),
    data.incidents_open !== null && !looksNow(data) && [
      "wait", "question", notLooking(data), "incidents",
    ],
    data.jobs_in_doubt > 0 && ["bad", "question", `${count(data.jobs_in_doubt, "job")} of which only a person can tell how it stands`, "jobs"],
    ...(data.connections_failing ?? []).map((one) => ["bad", "cross", `The connection ${one} fails`, "connections"]),
    ...(data.sign_ins ?? []).map((one) => [...(SIGN_INS[one.state] ?? SIGN_INS.unreadable)(one, data.now), "connections"]),
    ...(data.promotions?.failed ?? []).map((one) => ["bad", "cross", `The last promotion of ${one} failed`, "promotions"]),
  ].filter(Boolean);
  const waiting = (data.promotions?.waiting ?? []).filter((wait) => wait.kind === "approval");
  return h(
    "aside", { className: "ns-panel", "aria-label": "What needs somebody" },
    h("h3", null, "Needs somebody"),
    lines.length + waiting.length === 0
      ? h("p", { className: "ns-mute" }, ...(data.troubles.length > 0
        ? [h(Glyph, { of: "question" }), " Nothing of what can be read."]
        : [h(Glyph, { of: "check" }), " Nothing. Sleep well."]))
      : h(
        "ul", { className: "ns-needs-list" },
        lines.map(([tone, glyph, text, view]) => h(
          "li", { key: text, className: `ns-${tone}` }, h(Glyph, { of: glyph }), h(RouterLink, { to: { search: place.to(view) }, className: "ns-link" }, text),
        )),
        waiting.map((wait, at) => h("li", { key: at }, h(Wait, { wait, now: data.now }))),
      ),
    h("p", { className: "ns-mute ns-hint" }, "A cell of the grid opens here: what is known of that night, and what can be pressed."),
  );
}
