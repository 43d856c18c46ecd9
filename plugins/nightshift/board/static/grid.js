/**
 * The heat map: reports by nights. A line is rendered again only when something of it changed, and moving about renders
 * nothing at all: which cell has the focus is the document's business.
 */

import { Fragment, h, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef } from "./host.js";
import { CELLS, stateOf } from "./parts.js";
import { count, fully, nightName, nightParts, number, zone } from "./time.js";

const STEPS = [0.5, 0.85, 1.15, 1.5];
const NEAR = 60;

/** How dark a night is that is there: 1 (less than half of what is usual) to 5; 3: as usual, or nothing to compare with. */
export const shadeOf = (ratio) => (ratio === null ? 3 : 1 + STEPS.filter((step) => ratio >= step).length);

/** @param {import("./types.js").ReportRow} row @returns {import("./types.js").CellNote | null} */
const noteOf = (row, night) => (Object.hasOwn(row.notes, night) ? row.notes[night] : null);

/**
 * What a cell says, in words.
 *
 * @param {import("./types.js").ReportRow} row
 * @param {string} night
 * @param {number} at its column
 */
export function cellText(row, night, at) {
  const note = noteOf(row, night);
  const [rows, shade] = [row.rows[at], row.shade[at]];
  const said = [stateOf(CELLS, row.states[at]).name];
  if (rows !== null) said.push(count(rows, "row"));
  if (shade !== null && rows !== null && shadeOf(shade) !== 3) said.push(`${shade.toFixed(shade < 10 ? 1 : 0)} times the usual`);
  if (note?.running && row.states[at] !== "running") said.push("a run is under way");
  if (note?.rebuilt && row.states[at] !== "rebuilt") said.push("rebuilt");
  if (note?.late_since) said.push(`due ${fully(note.late_since, zone())}`);
  if (note?.added.length) said.push(`new: ${note.added.join(", ")}`);
  if (note?.widened.length) said.push(`wider: ${note.widened.join(", ")}`);
  if (note?.text) said.push(note.text);
  return `${row.source} ${row.report}, night ${nightName(night)}: ${said.join(", ")}`;
}

function classOf(row, night, at, chosen) {
  const { tone, glyph } = stateOf(CELLS, row.states[at]);
  const note = noteOf(row, night);
  const names = ["ns-cell", `ns-${tone}`];
  if (tone === "good") names.push(`ns-shade-${shadeOf(row.shade[at])}`);
  if (glyph) names.push("ns-marked", `ns-g-${glyph}`);
  else if (note?.rebuilt) names.push("ns-marked", "ns-g-corner");
  if (note?.running && row.states[at] !== "running") names.push("ns-under-way");
  if (note?.added.length || note?.widened.length) names.push("ns-changed");
  if (chosen) names.push("ns-chosen");
  return names.join(" ");
}

/** One report. @param {{row: import("./types.js").ReportRow, nights: string[], chosen: string | null}} props */
const ReportLine = memo(function ReportLine({ row, nights, chosen }) {
  return h(
    "div", { role: "row", className: "ns-line", "data-source": row.source, "data-report": row.report },
    h(
      "div", { role: "rowheader", className: "ns-name", title: row.due ? `due ${row.due} ${row.due_timezone}` : undefined },
      h("span", null, row.report), row.due && h("span", { className: "ns-due" }, row.due),
    ),
    nights.map((night, at) => h("div", {
      key: night,
      role: "gridcell",
      tabIndex: -1,
      className: classOf(row, night, at, night === chosen),
      "aria-label": cellText(row, night, at),
      "aria-selected": night === chosen,
      "data-night": night,
    })),
  );
});

/** The days, with the month where one begins. */
const Days = memo(function Days({ nights }) {
  return h(
    "div", { role: "row", className: "ns-line ns-days" },
    h("div", { role: "columnheader", className: "ns-name" }, h("span", { className: "ns-sr" }, "Report")),
    nights.map((night, at) => {
      const { day, month, weekday, weekend } = nightParts(night);
      const named = day === 1 || at === 0 || (at === nights.length - 1 && day > 3);
      return h(
        "div", { key: night, role: "columnheader", className: weekend ? "ns-day ns-weekend" : "ns-day" },
        named && h("span", { className: "ns-month", "aria-hidden": true }, month),
        h("span", { className: "ns-sr" }, `${weekday} ${day} ${month}`), h("span", { "aria-hidden": true }, day),
      );
    }),
  );
});

const MOVES = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-10, 0], PageDown: [10, 0],
};

const cellsOf = (line) => line.querySelectorAll("[data-night]");

/** The cell that a key leads to; null: it is no key of ours, or leads out of the grid. */
function cellAfter(grid, cell, event) {
  const lines = [...grid.querySelectorAll("[data-report]")];
  const line = lines.indexOf(cell.parentElement);
  const at = [...cellsOf(cell.parentElement)].indexOf(cell);
  const last = cellsOf(cell.parentElement).length - 1;
  if (event.key === "Home") return cellsOf(lines[event.ctrlKey ? 0 : line])[0];
  if (event.key === "End") return cellsOf(lines[event.ctrlKey ? lines.length - 1 : line])[last];
  if (!Object.hasOwn(MOVES, event.key)) return null;
  const [down, right] = MOVES[event.key];
  if (at + right < 0 || at + right > last) return null;
  return cellsOf(lines[Math.max(0, Math.min(lines.length - 1, line + down))])[at + right];
}

function bySource(reports) {
  const groups = new Map();
  for (const row of reports) groups.set(row.source, [...(groups.get(row.source) ?? []), row]);
  return [...groups];
}

/**
 * @param {object} props
 * @param {string[]} props.nights oldest first
 * @param {import("./types.js").ReportRow[]} props.reports
 * @param {{source: string, report: string, night: string} | null} props.chosen
 * @param {(cell: {source: string, report: string, night: string}, byKey: boolean) => void} props.onChoose
 * @param {(() => void) | null} props.onEarlier asks for nights before these; null: there are none, or they are on their way
 */
export function Grid({ nights, reports, chosen, onChoose, onEarlier }) {
  const frame = useRef(null);
  const tip = useRef(null);
  const groups = useMemo(() => bySource(reports), [reports]);
  useKeptPlace(frame, nights);
  useOneStop(frame, chosen, nights, reports);

  const choose = useCallback((cell, byKey) => {
    const { source, report } = cell.parentElement.dataset;
    onChoose({ source, report, night: cell.dataset.night }, byKey);
  }, [onChoose]);

  const onKeyDown = (event) => {
    const cell = event.target.closest("[data-night]");
    if (cell === null || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(cell, true);
      return;
    }
    const next = cellAfter(frame.current, cell, event);
    if (next) {
      event.preventDefault();
      stopAt(frame.current, next);
      next.focus();
    } else if (event.key === "ArrowLeft" && onEarlier) {
      event.preventDefault();
      onEarlier();
    }
  };
  const onPoint = (event) => tell(tip.current, frame.current, event.target.closest("[data-night]"));

  return h(
    "div", { className: "ns-heat-frame" },
    h(
      "div", {
        ref: frame, role: "grid", "aria-label": "Reports by night", className: "ns-heat",
        "aria-colcount": nights.length + 1, "aria-readonly": true,
        onKeyDown,
        onClick: (event) => {
          const cell = event.target.closest("[data-night]");
          if (cell === null) return;
          tell(tip.current, frame.current, null);
          choose(cell, false);
        },
        onScroll: (event) => {
          tell(tip.current, frame.current, null);
          if (event.currentTarget.scrollLeft < NEAR && onEarlier && event.currentTarget.dataset.moved) onEarlier();
          event.currentTarget.dataset.moved = "yes";
        },
        onWheel: (event) => event.deltaX < 0 && event.currentTarget.scrollLeft === 0 && onEarlier?.(),
        onMouseOver: onPoint, onMouseLeave: onPoint, onFocus: onPoint, onBlur: onPoint,
      },
      h(Days, { nights }),
      groups.map(([source, rows]) => h(
        Fragment, { key: source },
        h("div", { role: "row", className: "ns-source" }, h("div", { role: "rowheader", className: "ns-name" }, source)),
        rows.map((row) => h(ReportLine, {
          key: row.report, row, nights,
          chosen: chosen?.source === row.source && chosen.report === row.report ? chosen.night : null,
        })),
      )),
    ),
    h("div", { ref: tip, className: "ns-tip", hidden: true, "aria-hidden": true }),
  );
}

/** Make a cell the one that the Tab key stops at. */
function stopAt(grid, cell) {
  for (const other of grid.querySelectorAll('[data-night][tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
}

/** The Tab key stops once in the grid: at the cell that was last in focus or is chosen, else at the newest of the first. */
function useOneStop(frame, chosen, nights, reports) {
  useLayoutEffect(() => {
    const grid = frame.current;
    const marked = chosen && grid.querySelector(".ns-chosen");
    if (marked) return stopAt(grid, marked);
    if (grid.querySelector('[data-night][tabindex="0"]')) return undefined;
    const first = grid.querySelector("[data-report]");
    const newest = first && [...cellsOf(first)].at(-1);
    return newest ? stopAt(grid, newest) : undefined;
  }, [frame, chosen, nights, reports]);
}

/** The newest nights are seen first; when older ones come, what was seen stays where it was. */
function useKeptPlace(frame, nights) {
  const before = useRef({ first: "", width: 0 });
  useLayoutEffect(() => {
    const grid = frame.current;
    const { first, width } = before.current;
    if (first === "" || nights[0] >= first) grid.scrollLeft = first === "" ? grid.scrollWidth : grid.scrollLeft;
    else grid.scrollLeft += grid.scrollWidth - width;
    before.current = { first: nights[0] ?? "", width: grid.scrollWidth };
  }, [frame, nights]);
  useEffect(() => () => (before.current = { first: "", width: 0 }), []);
}

/** Show what a cell says beside it; it is its label as well, so that nobody hears it twice. */
function tell(tip, grid, cell) {
  if (tip === null) return;
  tip.hidden = cell === null;
  if (cell === null) return;
  const [head, ...rest] = cell.ariaLabel.split(": ");
  tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: rest.join(": ") }), head);
  const [at, frame] = [cell.getBoundingClientRect(), grid.parentElement.getBoundingClientRect()];
  const left = Math.min(Math.max(at.left - frame.left + at.width / 2 - tip.offsetWidth / 2, 0), frame.width - tip.offsetWidth);
  const above = at.top - frame.top - tip.offsetHeight - 8;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${above > 0 ? above : at.bottom - frame.top + 8}px`;
}

/** What the colours, the shapes and the shades mean. */
export function Legend() {
  const shown = ["early", "late", "running", "failed", "drifted", "unsound", "unproven", "never"];
  return h(
    "ul", { className: "ns-legend", "aria-label": "What a cell means" },
    h(
      "li", null,
      h("span", { className: "ns-scale", "aria-hidden": true }, [1, 2, 3, 4, 5].map((step) =>
        h("i", { key: step, className: `ns-cell ns-good ns-shade-${step}` }))),
      "published; the stronger, the more rows for its weekday",
    ),
    ["empty", "rebuilt"].map((state) => h("li", { key: state }, h(Swatch, { state }), CELLS[state].name)),
    shown.map((state) => h("li", { key: state }, h(Swatch, { state }), CELLS[state].name)),
  );
}

const Swatch = ({ state }) => {
  const { tone, glyph } = CELLS[state];
  const marks = glyph ? ` ns-marked ns-g-${glyph}` : "";
  return h("i", { "aria-hidden": true, className: `ns-cell ns-${tone}${tone === "good" ? " ns-shade-3" : ""}${marks}` });
};

/** How many nights of the newest column are in which state, for the line above the grid. */
export function tally(nights, reports) {
  const newest = nights.length - 1;
  const states = new Map();
  for (const row of reports) states.set(row.states[newest], (states.get(row.states[newest]) ?? 0) + 1);
  return [...states].map(([state, many]) => `${number(many)} ${stateOf(CELLS, state).name}`).join(", ");
}
