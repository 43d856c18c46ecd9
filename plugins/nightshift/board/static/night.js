/** One night of one report: what is known of it, and what may be pressed. */

import { Button, Fragment, h, useEffect, useRef } from "./host.js";
import { useAnswer } from "./api.js";
import { CELLS, Chip, Facts, Glyph, Links, Open, Part, StateChip, joined, words } from "./parts.js";
import { Presses } from "./press.js";
import { Time, bytes, count, duration, nightName, nightShortly, number } from "./time.js";

/** @param {{source: string, report: string, night: string}} cell */
export const pathOf = ({ source, report, night }) =>
  `nights/${[source, report, night].map(encodeURIComponent).join("/")}`;

/**
 * The panel beside the grid.
 *
 * @param {object} props
 * @param {{source: string, report: string, night: string}} props.cell
 * @param {boolean} props.byKey it was opened by a key: then the focus goes there
 * @param {() => void} props.onClose
 */
export function NightPanel({ cell, byKey, onClose }) {
  const answer = useAnswer(pathOf(cell));
  const panel = useRef(null);
  const name = `${cell.source} / ${cell.report}`;
  useEffect(() => {
    if (byKey) panel.current.focus();
    else panel.current.scrollIntoView({ block: "nearest" });
  }, [byKey, cell.source, cell.report, cell.night]);
  return h(
    "aside",
    {
      ref: panel, tabIndex: -1, className: "ns-panel", "aria-label": `${name}, night ${nightName(cell.night)}`,
      onKeyDown: (event) => event.key === "Escape" && onClose(),
    },
    h(
      "div", { className: "ns-panel-head" },
      h("h3", null, h("span", { className: "ns-mute" }, `${cell.source} / `), cell.report),
      h(Button, { size: "xs", variant: "ghost", onClick: onClose, "aria-label": "Close" }, h(Glyph, { of: "close" })),
    ),
    h("div", { className: "ns-mute" }, `night ${nightName(cell.night)}`),
    h(Part, { answer, rows: 6 }, (detail) => h(Night, { detail })),
  );
}

/** @param {{detail: import("./types.js").CellDetail}} props */
export function Night({ detail }) {
  const { note } = detail;
  return h(
    Fragment, null,
    h(
      "div", { className: "ns-chips" },
      h(StateChip, { states: CELLS, state: detail.state }),
      note.running && detail.state !== "running" && h(Chip, { tone: "busy", glyph: "play" }, "a run is under way"),
      note.rebuilt && detail.state !== "rebuilt" && h(Chip, { tone: "good", glyph: "corner" }, "rebuilt"),
    ),
    note.text && h("p", { className: "ns-why" }, note.text),
    h(Facts, { of: factsOf(detail) }),
    h(Checks, { detail }),
    h(Presses, { presses: detail.presses }),
    h(Attempts, { attempts: detail.attempts }),
    h(Links, { links: detail.links }),
  );
}

/** @param {import("./types.js").CellDetail} detail @returns {Array<[string, any]>} */
function factsOf(detail) {
  const { note, extract, table } = detail;
  const odd = detail.published_rows !== null && detail.rows !== detail.published_rows;
  return [
    ["rows", detail.rows !== null && joined([number(detail.rows), detail.usual !== null && versus(detail)])],
    ["committed as", odd && `${number(detail.published_rows)} rows: something else changed the table`],
    ["size", detail.bytes !== null && bytes(detail.bytes)],
    ["took", detail.seconds !== null && duration(detail.seconds)],
    ["published", detail.published && h(Time, { at: detail.published })],
    ["due", detail.due && joined([h(Time, { at: detail.due }), note.late_since && "it was late"])],
    ["new columns", note.added.length > 0 && note.added.join(", ")],
    ["wider columns", note.widened.length > 0 && note.widened.join(", ")],
    ["table", table && joined([
      detail.version !== null ? `version ${detail.version}` : table.version !== null && `now version ${table.version}`,
      detail.replaced !== null && `before that ${detail.replaced}`, count(table.nights, "night"),
    ])],
    ["extract", extract && joined([
      extract.pages !== null && count(extract.pages, "page"), extract.bytes !== null && bytes(extract.bytes),
      extract.attempt !== null && extract.attempt > 1 && `attempt ${extract.attempt}`,
    ])],
    ["in the landing", extract && h("code", null, extract.path)],
    ["last good", detail.last_good && nightShortly(detail.last_good)],
    ["depend on it", detail.depends.length > 0 && detail.depends.join(", ")],
  ].map(([name, value]) => [name, value === false ? null : value]);
}

const versus = ({ rows, usual, usual_of }) =>
  h(
    "span", { className: "ns-mute" },
    usual > 0 ? `${(rows / usual).toFixed(2)} × the usual ${number(Math.round(usual))}` : "usually none",
    ` (of ${count(usual_of, "night")})`,
  );

/** @param {{detail: import("./types.js").CellDetail}} props */
function Checks({ detail }) {
  if (!detail.checks_known) return h("p", { className: "ns-mute" }, "What the checks saw was not written down.");
  if (detail.checks.length === 0) return null;
  return h(
    "ul", { className: "ns-checks", "aria-label": "Checks" },
    detail.checks.map((check, index) => h(
      "li", { key: index, className: check.ok ? "ns-good" : "ns-bad" },
      h(Glyph, { of: check.ok ? "check" : "cross" }),
      h("span", null, h("span", { className: "ns-sr" }, check.ok ? "held: " : "failed: "), words(check.name)),
      check.detail && h("span", { className: "ns-mute" }, check.detail),
    )),
  );
}

const RUNS = { success: "good", failed: "bad", running: "busy", queued: "wait" };

/** @param {{attempts: import("./types.js").AttemptLine[]}} props */
function Attempts({ attempts }) {
  if (attempts.length === 0) return null;
  return h(
    "details", { className: "ns-more", open: attempts.some((one) => one.state !== "success") },
    h("summary", null, count(attempts.length, "run")),
    h("ol", { className: "ns-attempts" }, attempts.map((one) => h(
      "li", { key: one.run_id },
      h(
        "div", null,
        h(Chip, { tone: RUNS[one.state] ?? "wait" }, words(one.state)), " ",
        joined([
          words(one.run_type), one.by && `by ${one.by}`, one.started && h(Time, { at: one.started }),
          one.seconds !== null && duration(one.seconds),
        ]),
      ),
      Object.keys(one.tasks).length > 0 && h(
        "div", { className: "ns-mute" },
        joined(Object.entries(one.tasks).map(([task, state]) => `${task}: ${words(state)}`)),
      ),
      h("div", { className: "ns-run-id" }, one.links.length > 0 ? joined(one.links.map((link, at) => h(Open, { key: at, link }))) : h("code", null, one.run_id)),
    ))),
  );
}
