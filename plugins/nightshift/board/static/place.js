/** Where the person is: the view and what is chosen in it, kept in the address, so that it can be sent to a colleague. */

import { useCallback, useMemo, useSearchParams } from "./host.js";

export const VIEWS = ["overview", "nights", "promotions", "jobs", "connections", "incidents"];
const SLASH = "/";

/** Where the board is in Airflow's router. */
export const BOARD = "/plugin/nightshift";

/** @typedef {{pathname?: string, search: string}} Way what a link of the router leads to */

/** The query of a view. @param {string} view one of `VIEWS` */
export const queryOf = (view) => (view === VIEWS[0] ? "?" : `?view=${view}`);

/**
 * @typedef {object} Place
 * @property {string} view one of `VIEWS`
 * @property {(view: string) => string} to the query of a view, for a link
 * @property {[{source: string, report: string, night: string} | null, (cell: object | null) => void]} cell
 * @property {[string | null, (application: string | null) => void]} application whose time line is open
 */

/** @returns {Place} */
export function usePlace() {
  const [query, setQuery] = useSearchParams();
  const asked = query.get("view") ?? "";
  const set = useCallback((key, value) => setQuery((before) => {
    const after = new URLSearchParams(before);
    if (value === null) after.delete(key);
    else after.set(key, value);
    return after;
  }, { replace: true, preventScrollReset: true }), [setQuery]);
  const cell = query.get("cell");
  const application = query.get("application");
  return useMemo(() => ({
    view: VIEWS.includes(asked) ? asked : VIEWS[0],
    to: queryOf,
    cell: [cellOf(cell), (to) => set("cell", to && [to.source, to.report, to.night].join(SLASH))],
    application: [application, (to) => set("application", to)],
  }), [asked, cell, application, set]);
}

/** @param {string | null} text as it stands in the address: data, looked at before it is used */
function cellOf(text) {
  const [, source, report, night] = /^([^/]+)\/(.+)\/(\d{4}-\d{2}-\d{2})$/.exec(text ?? "") ?? [];
  return night && !Number.isNaN(Date.parse(night)) ? { source, report, night } : null;
}
