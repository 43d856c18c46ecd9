/** The board as a whole: its head, its views, and what a tab or a card shows instead. */

import { Button, Fragment, RouterLink, h, useEffect, useLayoutEffect, useLocation, useNavigate, useState } from "./host.js";
import { refresh, useAnswer } from "./api.js";
import { Connections } from "./connections.js";
import { Incidents } from "./incidents.js";
import { Jobs } from "./jobs.js";
import { Nights } from "./nights.js";
import { OverviewView } from "./overview.js";
import { Glyph } from "./parts.js";
import { VIEWS, usePlace } from "./place.js";
import { PressDialog } from "./press.js";
import { Promotions } from "./promotions.js";
import { Tab } from "./tab.js";
import { shortly, useZone } from "./time.js";

const NAMES = {
  overview: "Overview", nights: "Nights", promotions: "Promotions", jobs: "Jobs", connections: "Connections", incidents: "Incidents",
};

/**
 * The component that Airflow renders, as a page or as a tab of a DAG, of a run, of a task.
 *
 * @param {{dagId?: string, runId?: string}} props
 */
export function Nightshift({ dagId, runId }) {
  const ready = useSettledHost();
  const place = usePlace();
  if (!ready) return h("div", { className: "ns", "aria-busy": true });
  if (dagId !== undefined) return h("div", { className: "ns ns-tab" }, h(Tab, { dagId, runId, place }), h(PressDialog));
  return h(
    "div", { className: "ns ns-page" },
    h(Head, { place }), h("div", { className: "ns-view" }, h(View, { place })), h(PressDialog),
  );
}

let settled = false;
const PATIENCE = 1500;

/**
 * Airflow renders what it has just loaded as one kind of element and, from its next rendering on, as another, so that
 * all of it is made anew and the focus is lost: have that happen now, before there is anything for somebody to be in.
 *
 * @returns {boolean} whether it has happened, or will not
 */
function useSettledHost() {
  const navigate = useNavigate();
  const location = useLocation();
  const [ready, setReady] = useState(settled);
  useLayoutEffect(() => {
    if (settled) return;
    settled = true;
    navigate(location, { replace: true, state: location.state });
    setTimeout(() => setReady(true), PATIENCE);
  }, [navigate, location]);
  return ready;
}

/** @param {{place: import("./place.js").Place}} props */
function View({ place }) {
  switch (place.view) {
    case "nights": return h(Nights, { place });
    case "promotions": return h(Promotions, { place });
    case "jobs": return h(Jobs);
    case "connections": return h(Connections);
    case "incidents": return h(Incidents);
    default: return h(OverviewView, { place });
  }
}

/** @param {{place: import("./place.js").Place}} props */
function Head({ place }) {
  const answer = useAnswer("overview");
  const { data } = answer;
  const broken = new Set(data?.connections_failing);
  for (const one of data?.sign_ins ?? []) if (one.state !== "ends_soon") broken.add(one.connection);
  const badges = { jobs: data?.jobs ?? 0, incidents: data?.incidents_open ?? 0, connections: broken.size };
  return h(
    "header", { className: "ns-top" },
    h("div", { className: "ns-title" }, h("h1", null, "Nightshift"), h(Freshness, { answer })),
    h("nav", { "aria-label": "Views of Nightshift" }, VIEWS.map((view) => h(
      RouterLink,
      { key: view, to: { search: place.to(view) }, "aria-current": view === place.view ? "page" : undefined, className: "ns-nav" },
      NAMES[view], badges[view] > 0 && " ", badges[view] > 0 && h("span", { className: `ns-badge${view === "jobs" ? "" : " ns-badge-bad"}` }, badges[view]),
    ))),
  );
}

/** When the page was last told something, and by which clock times are shown. */
function Freshness({ answer }) {
  const timeZone = useZone();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const clock = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(clock);
  }, []);
  const [asking, setAsking] = useState(false);
  const ask = () => {
    setAsking(true);
    refresh().finally(() => setAsking(false));
  };
  const old = answer.failure !== null || (answer.seen > 0 && now - answer.seen > 120_000);
  return h(
    Fragment, null,
    h("span", { className: old ? "ns-fresh ns-late" : "ns-fresh ns-mute" },
      answer.seen > 0 ? `${old ? "last heard of" : "seen"} ${shortly(answer.seen, timeZone)}` : "not seen yet", ` · times in ${timeZone}`),
    h(Button, { size: "xs", variant: "ghost", onClick: ask, loading: asking, "aria-label": "Look again" }, h(Glyph, { of: "again" })),
  );
}
