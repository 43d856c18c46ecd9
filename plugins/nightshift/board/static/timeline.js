/** The time line of an application: its promotions, newest first, each with its steps. */

import { Button, Fragment, h, useState } from "./host.js";
import { useAnswer } from "./api.js";
import { Chip, Empty, Links, Part, joined, words } from "./parts.js";
import { Time, duration, nightShortly, secondsTo } from "./time.js";

const ENDS = {
  promoted: "good", no_changes: "none", rejected: "bad", superseded: "none", skipped: "none", dry_run: "none",
  rolled_back: "late", failed: "bad", abandoned: "bad",
};
const STEPS = { started: "busy", done: "good", skipped: "none", rejected: "bad", failed: "bad" };

const toneOf = (tones, word) => (Object.hasOwn(tones, word) ? tones[word] : "none");

/** @param {{application: string}} props */
export function TimeLineOf({ application }) {
  return h(Page, { path: `promotions/${encodeURIComponent(application)}`, query: "", first: true });
}

/** One answer of the time line, and the ones before it when they are asked for. */
function Page({ path, query, first }) {
  const answer = useAnswer(path + query, first ? 20 : Infinity);
  const [older, showOlder] = useState(false);
  return h(Part, { answer, rows: 4 }, ({ promotions, before, now }) => h(
    Fragment, null,
    first && promotions.length === 0 && h(
      Empty, { title: "Nothing was promoted yet", glyph: "queue" }, "The first night that is complete, or a person with the form of the DAG, begins one.",
    ),
    h("ol", { className: "ns-timeline", "aria-label": first ? "Promotions, newest first" : "Earlier promotions" },
      promotions.map((one) => h("li", { key: one.run_id }, h(Promotion, { one, now })))),
    before && !older && h(Button, { size: "xs", variant: "ghost", onClick: () => showOlder(true) }, "Earlier promotions"),
    before && older && h(Page, { path, query: `?before=${encodeURIComponent(before)}`, first: false }),
  ));
}

/** @param {{one: import("./types.js").PromotionLine, now: string, open?: boolean}} props */
export function Promotion({ one, now, open = false }) {
  const end = one.closed ?? now;
  return h(
    "details", { className: "ns-promotion", open: open || one.closed === null },
    h(
      "summary", null,
      h(Chip, one.outcome === null ? { tone: "busy", glyph: "play" } : { tone: toneOf(ENDS, one.outcome) }, one.outcome === null ? "under way" : words(one.outcome)),
      h("strong", null, one.version ? one.version.name || `id ${one.version.id}` : "no version"),
      h("span", { className: "ns-mute" }, joined([
        one.night && `night ${nightShortly(one.night)}`, one.by && `asked by ${one.by}`, h(Time, { at: one.opened }),
        duration(secondsTo(end, one.opened)),
      ])),
    ),
    one.reason && h("p", { className: "ns-why" }, one.reason),
    one.superseded_by && h("p", { className: "ns-mute" }, `Superseded by ${one.superseded_by}.`),
    one.waiting && h("p", { className: "ns-why" }, one.waiting.text),
    h("ol", { className: "ns-steps" }, one.steps.map((step, at) => h("li", { key: at }, h(Step, { step, now })))),
    h(Links, { links: one.links }),
  );
}

/** @param {{step: import("./types.js").StepLine, now: string}} props */
function Step({ step, now }) {
  const said = step.outcome || step.state;
  return h(
    Fragment, null,
    h("span", { className: `ns-dot ns-${toneOf(STEPS, step.state)}`, "aria-hidden": true }),
    h(
      "div", null,
      h("span", null, h("strong", null, step.task), " ", words(said), step.attempt > 1 && `, attempt ${step.attempt}`),
      h("div", { className: "ns-mute" }, joined([
        h(Time, { at: step.started }), duration(secondsTo(step.ended ?? now, step.started)), step.by && `by ${step.by}`,
        step.version && (step.version.name || `id ${step.version.id}`),
      ])),
      step.text && h("div", { className: "ns-mute ns-said" }, step.text),
      h(Links, { links: step.links }),
    ),
  );
}
