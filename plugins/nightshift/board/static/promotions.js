/** The view "Promotions": applications by stages, as lanes; what runs where, and what the next version waits for. */

import { Button, Fragment, h } from "./host.js";
import { useAnswer } from "./api.js";
import { Figures } from "./figures.js";
import { Chip, Empty, Glyph, Links, Open, Part, STAGES, Section, StateChip, joined, stateOf } from "./parts.js";
import { PressButton, Presses } from "./press.js";
import { TimeLineOf } from "./timeline.js";
import { Time, away, count, duration, nightShortly, secondsTo } from "./time.js";

const WAITS = {
  turn: "queue", approval: "person", window: "clock", soak: "clock", verification: "play", vendor: "play",
};

/** @param {{place: import("./place.js").Place}} props */
export function Promotions({ place }) {
  return h(Fragment, null, h(Figures), h(Lanes, { place }));
}

/** @param {{place: import("./place.js").Place, only?: (lane: import("./types.js").Lane) => boolean, title?: string}} props */
export function Lanes({ place, only, title = "Promotions" }) {
  const answer = useAnswer("promotions");
  return h(
    Section, { title, id: "ns-promotions", aside: answer.data && !only && h(Presses, { presses: answer.data.presses, quiet: true }) },
    h(Part, { answer, rows: 5 }, (data) => {
      const lanes = only ? data.lanes.filter(only) : data.lanes;
      return h(
        Fragment, null,
        h(Holds, { holds: data.holds.filter((hold) => hold.application === null), now: data.now }),
        lanes.length === 0
          ? h(
            Empty, { title: "No application yet", glyph: "queue" },
            "An application of promotions.yaml has a lane here, from its build to its last stage, for everybody who may read its DAG.",
          )
          : lanes.map((lane) => h(Lane, { key: lane.application, lane, now: data.now, place })),
      );
    }),
  );
}

/** @param {{holds: import("./types.js").HoldLine[], now: string}} props */
export const Holds = ({ holds, now }) =>
  holds.map((hold) => h(
    "div", { key: hold.id, className: "ns-hold", role: "status" },
    h(Glyph, { of: "hand" }),
    h(
      "div", null,
      h("strong", null, hold.application ? `${hold.application} is held` : "The line is stopped"), " by ", hold.by,
      " since ", h(Time, { at: hold.since }), hold.until ? joined([" until ", h(Time, { at: hold.until })], "") : ", until somebody lifts it", ": ",
      h("q", null, hold.reason), hold.until && h("span", { className: "ns-mute" }, ` (ends ${away(hold.until, now)})`),
    ),
    hold.lift && h(PressButton, { press: hold.lift, size: "xs" }),
  ));

/** @param {{lane: import("./types.js").Lane, now: string, place: import("./place.js").Place}} props */
function Lane({ lane, now, place }) {
  const [shown, show] = place.application;
  const open = shown === lane.application;
  const freeze = lane.freezes.find((one) => one.on) ?? lane.freezes[0];
  return h(
    "article", { className: "ns-lane", "aria-label": lane.application },
    h(
      "header", null,
      h("h3", null, h(Open, { link: { label: lane.application, href: `dags/${encodeURIComponent(lane.dag_id)}` } })),
      lane.description && h("div", { className: "ns-mute" }, lane.description),
      h("div", { className: "ns-mute" }, lane.after.length > 0 ? `after ${count(lane.after.length, "report")}` : "run by people"),
      freeze && h(
        "div", { className: "ns-waits" }, h(Glyph, { of: "snow" }),
        h("span", null, freeze.on ? `frozen (${freeze.name}) until ` : `freeze ${freeze.name} from `, h(Time, { at: freeze.on ? freeze.ends : freeze.begins })),
      ),
      h(
        "div", { className: "ns-presses" },
        h(
          Button, { size: "xs", variant: "ghost", "aria-expanded": open, onClick: () => show(open ? null : lane.application) },
          open ? "Hide time line" : "Time line",
        ),
        lane.presses.map((press, at) => h(PressButton, { key: at, press, size: "xs" })),
      ),
    ),
    h(
      "div", { className: "ns-lane-body" },
      lane.mistake && h("p", { className: "ns-why ns-bad" }, h(Glyph, { of: "cross" }), lane.mistake),
      h(Holds, { holds: lane.holds.filter((hold) => hold.application !== null), now }),
      lane.doubts.map(({ text, settle }, at) =>
        h(
          "div", { key: at, className: "ns-why ns-bad" },
          h(Glyph, { of: "question" }), text, " ", h(PressButton, { press: settle, size: "xs" }),
        ),
      ),
      h("ol", { className: "ns-stages" }, lane.stages.map((stage) => h(Stage, { key: stage.label, stage, now }))),
      h(UnderWay, { lane, now }),
      h(Links, { links: lane.links }),
      open && h(TimeLineOf, { application: lane.application }),
    ),
  );
}

/** @param {{stage: import("./types.js").LaneStage, now: string}} props */
function Stage({ stage, now }) {
  const soaks = stage.state === "soaking" && stage.soaks_until && secondsTo(stage.soaks_until, now) > 0;
  const { tone, glyph, name } = stateOf(STAGES, stage.state);
  return h(
    "li", { className: `ns-stage ns-edge-${tone}${stage.behind > 0 ? " ns-behind" : ""}` },
    h("div", { className: "ns-stage-label" }, stage.label),
    h(
      "div", { className: "ns-chips" },
      h("strong", { className: "ns-version" }, stage.version ? versionName(stage.version) : "–"),
      h(Chip, { tone, glyph }, soaks ? `soaking, ${duration(secondsTo(stage.soaks_until, now))} left` : name),
      stage.behind > 0 && h(Chip, { tone: "late" }, `${stage.behind} behind`),
    ),
    h(
      "div", { className: "ns-mute" },
      joined([
        stage.since && h(Fragment, null, "since ", h(Time, { at: stage.since })),
        stage.night && `night ${nightShortly(stage.night)}`, stage.approved_by && `approved by ${stage.approved_by}`,
      ]),
    ),
    stage.text && h("div", { className: tone === "bad" ? "ns-bad" : "ns-mute" }, stage.text),
    (stage.coming || stage.waiting) && h(Coming, { stage, now }),
    h(Links, { links: stage.links }),
    stage.revoke && h(PressButton, { press: stage.revoke, size: "xs" }),
  );
}

/** The version that is on its way to a stage, and what it waits for. */
const Coming = ({ stage: { coming, waiting }, now }) =>
  h(
    "div", { className: "ns-coming" },
    coming && h("div", null, h(Glyph, { of: "next" }), h("strong", null, versionName(coming)), " comes next"),
    waiting && h(Wait, { wait: waiting, now }),
  );

/** @param {{wait: import("./types.js").WaitLine, now: string}} props */
export const Wait = ({ wait, now }) =>
  h(
    "div", { className: `ns-waits ns-wait-${wait.kind}` },
    h(Glyph, { of: Object.hasOwn(WAITS, wait.kind) ? WAITS[wait.kind] : "clock" }),
    h(
      "span", null, wait.text, wait.whom.length > 0 && ` (${wait.whom.join(" or ")})`,
      wait.since && h("span", { className: "ns-mute" }, " since ", h(Time, { at: wait.since })),
      wait.until && h("span", { className: "ns-mute" }, `, until `, h(Time, { at: wait.until }), ` (${away(wait.until, now)})`),
    ),
    wait.link && h(Open, { link: wait.link, className: wait.kind === "approval" ? "ns-button" : "ns-link" }),
  );

/** @param {{lane: import("./types.js").Lane, now: string}} props */
function UnderWay({ lane, now }) {
  if (lane.under_way.length === 0) return null;
  return h(
    "ul", { className: "ns-under-way-list", "aria-label": "Under way" },
    lane.under_way.map((one) => h(
      "li", { key: one.run_id },
      h(Chip, { tone: "busy", glyph: "play" }, "under way"), " ",
      joined([
        one.version && h("strong", null, versionName(one.version)), one.night && `night ${nightShortly(one.night)}`,
        one.by && `asked by ${one.by}`, h(Fragment, null, "since ", h(Time, { at: one.opened })),
      ]),
      one.waiting && h(Wait, { wait: one.waiting, now }),
      h(Links, { links: one.links }),
    )),
  );
}

/** @param {import("./types.js").VersionShown} version */
export const versionName = (version) => version.name || `id ${version.id}`;
