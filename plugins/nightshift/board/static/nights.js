/** The view "Nights": the heat map, further back by scrolling, and the panel of the cell that is chosen. */

import { Button, Fragment, Input, h, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "./host.js";
import { useAnswer } from "./api.js";
import { Grid, Legend, tally } from "./grid.js";
import { NightPanel, pathOf } from "./night.js";
import { Empty, Part, Section } from "./parts.js";
import { count, nightShortly } from "./time.js";

const PAGE = 30;
const MOST = 390;
const TROUBLE = new Set(["early", "late", "failed", "drifted", "unsound", "unproven"]);

/** The answer for more nights, and the one before it until that has come. */
function useNights(many) {
  const answer = useAnswer(`nights?count=${many}`);
  const before = useRef(undefined);
  useEffect(() => {
    if (answer.data !== undefined) before.current = answer.data;
  }, [answer.data]);
  return answer.data === undefined && before.current !== undefined && answer.failure === null
    ? { ...answer, data: before.current, waiting: true } : { ...answer, waiting: false };
}

/**
 * @param {object} props
 * @param {(row: import("./types.js").ReportRow) => boolean} [props.only] which reports; default: all
 * @param {import("./place.js").Place} props.place what of the view is chosen, and how to choose
 * @param {boolean} [props.tools] whether there is a line to filter with
 * @param {string} [props.title]
 * @param {any} [props.beside] what stands beside the grid while no cell is chosen
 */
export function Nights({ only, place, tools = true, beside = null, title = "Nights" }) {
  const [many, setMany] = useState(PAGE);
  const answer = useNights(many);
  return h(
    Section, { title, id: "ns-nights", aside: answer.data && h(Tally, { grid: answer.data, only }) },
    h(Part, { answer, rows: 8 }, (grid) => h(Board, {
      grid, only, place, tools, beside, waiting: answer.waiting,
      onEarlier: grid.earlier && !answer.waiting && many < MOST ? () => setMany(many + PAGE) : null,
    })),
  );
}

const Tally = ({ grid, only }) => {
  const reports = only ? grid.reports.filter(only) : grid.reports;
  if (reports.length === 0 || grid.nights.length === 0) return null;
  return h("span", { className: "ns-mute" }, `${nightShortly(grid.nights.at(-1))}: ${tally(grid.nights, reports)}`);
};

/**
 * @param {object} props
 * @param {import("./types.js").NightsGrid} props.grid
 * @param {(row: import("./types.js").ReportRow) => boolean} [props.only]
 * @param {import("./place.js").Place} props.place
 * @param {boolean} props.tools
 * @param {any} props.beside
 * @param {boolean} props.waiting more nights are on their way
 * @param {(() => void) | null} props.onEarlier
 */
function Board({ grid, only, place, tools, beside, waiting, onEarlier }) {
  const [search, setSearch] = useState("");
  const [trouble, setTrouble] = useState(false);
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const all = useMemo(() => (only ? grid.reports.filter(only) : grid.reports), [grid.reports, only]);
  const reports = useMemo(
    () => all.filter((row) =>
      (wanted === "" || `${row.source} ${row.report}`.toLowerCase().includes(wanted))
      && (!trouble || row.states.slice(-7).some((state) => TROUBLE.has(state)))),
    [all, wanted, trouble],
  );
  const [chosen, choose] = place.cell;
  const byKey = useRef(false);
  const back = useRef(null);
  const onChoose = useCallback((cell, key) => {
    byKey.current = key;
    back.current = key ? document.activeElement : null;
    choose(cell);
  }, [choose]);
  const onClose = useCallback(() => {
    choose(null);
    back.current?.focus();
  }, [choose]);

  if (all.length === 0) {
    return h(
      Empty, { title: "No report yet" },
      "What reports.yaml names is shown here, a line a report, as soon as it names one. ",
      "If it does and nothing comes: are the DAGs there, and may you read them?",
    );
  }
  return h(
    Fragment, null,
    tools && h(
      "div", { className: "ns-tools", role: "search" },
      h(Input, {
        size: "sm", type: "search", placeholder: "Find a report", "aria-label": "Find a report", value: search,
        onChange: (event) => setSearch(event.target.value), maxWidth: "220px",
      }),
      h(
        Button,
        { size: "sm", variant: trouble ? "solid" : "outline", "aria-pressed": trouble, onClick: () => setTrouble(!trouble) },
        "Trouble in the last 7 nights",
      ),
      h("span", { className: "ns-mute", role: "status" }, `${count(reports.length, "report")}, ${count(grid.nights.length, "night")}`),
    ),
    h(
      "div", { className: chosen || beside ? "ns-with-panel" : "" },
      h(
        "div", { className: "ns-heat-side" },
        reports.length === 0
          ? h(Empty, { title: "No report is like that", glyph: "ring" }, "Take the filter away to see all of them.")
          : h(Grid, { nights: grid.nights, reports, chosen, onChoose, onEarlier }),
        h(
          "div", { className: "ns-under-heat" }, h(Legend),
          (onEarlier || waiting) && h(
            Button, { size: "xs", variant: "ghost", onClick: onEarlier ?? undefined, loading: waiting, disabled: !onEarlier }, "Earlier nights",
          ),
        ),
      ),
      chosen
        ? h(NightPanel, { key: pathOf(chosen), cell: chosen, byKey: byKey.current, onClose })
        : beside,
    ),
  );
}


