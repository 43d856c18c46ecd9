/** The tab of a DAG or of a run: its own reports, the night of the run, or the lane and the promotion. */

import { Fragment, RouterLink, h, useCallback, useEffect, useMemo, useState } from "./host.js";
import { Refused, airflow, useAnswer } from "./api.js";
import { Night, pathOf } from "./night.js";
import { Nights } from "./nights.js";
import { Broken, Empty, Part, Section } from "./parts.js";
import { BOARD } from "./place.js";
import { Lanes } from "./promotions.js";
import { Promotion, TimeLineOf } from "./timeline.js";
import { nightName } from "./time.js";

/** @param {{dagId: string, runId?: string, place: import("./place.js").Place}} props */
export function Tab({ dagId, runId, place }) {
  const nights = useAnswer("nights?count=30");
  const lanes = useAnswer("promotions");
  const ofDag = useCallback((one) => one.dag_id === dagId, [dagId]);
  const reports = useMemo(() => (nights.data?.reports ?? []).filter(ofDag), [nights.data, ofDag]);
  const lane = (lanes.data?.lanes ?? []).find(ofDag);

  if (reports.length > 0) {
    return runId === undefined ? h(Nights, { only: ofDag, place }) : h(NightOfRun, { dagId, runId, reports, place });
  }
  if (lane) {
    return h(
      Fragment, null, h(Lanes, { only: ofDag, place, title: "Lane" }),
      runId === undefined ? place.application[0] === null && h(TimeLineOf, { application: lane.application })
        : h(PromotionOfRun, { application: lane.application, runId }),
    );
  }
  if (nights.loading || lanes.loading) return h(Part, { answer: { loading: true, failure: null, data: undefined }, rows: 6 }, () => null);
  const failure = nights.failure ?? lanes.failure;
  if (failure) return h(Broken, { failure, again: () => Promise.all([nights.reload(), lanes.reload()]) });
  return h(
    Empty, { title: "Nothing of Nightshift" }, `${dagId} brings no report home and promotes no application. `,
    h(RouterLink, { to: BOARD, className: "ns-link" }, "The board"), " shows those that do.",
  );
}

/** The night of a run: its partition key, or what a person gave in the form. */
export const nightOf = (run) => run.partition_key ?? run.conf?.night ?? null;

function useRun(dagId, runId) {
  const [found, setFound] = useState({ run: null, failure: null });
  useEffect(() => {
    let left = false;
    setFound({ run: null, failure: null });
    airflow(`api/v2/dags/${encodeURIComponent(dagId)}/dagRuns/${encodeURIComponent(runId)}`).then(
      (run) => !left && setFound({ run, failure: null }),
      (error) => !left && setFound({
        run: null,
        failure: error instanceof Refused ? error.why : { status: 0, title: "No answer", detail: String(error.message), advice: "Reload the page." },
      }),
    );
    return () => { left = true; };
  }, [dagId, runId]);
  return found;
}

function NightOfRun({ dagId, runId, reports, place }) {
  const { run, failure } = useRun(dagId, runId);
  if (failure) return h(Broken, { failure });
  if (run === null) return h(Part, { answer: { loading: true, failure: null, data: undefined }, rows: 6 }, () => null);
  const night = nightOf(run);
  if (night === null || !/^\d{4}-\d{2}-\d{2}$/.test(night)) {
    return h(
      Fragment, null,
      h(Empty, { title: "The night of this run is not known here" }, "It has no partition key and its form names none; the task “night” decides it, and its log says which it was."),
      h(Nights, { only: (row) => row.dag_id === dagId, place }),
    );
  }
  return h(
    Section, { title: `Night ${nightName(night)}`, id: "ns-night-of-run" },
    h("ul", { className: "ns-cards" }, reports.map((row) => h(
      "li", { key: `${row.source}/${row.report}` },
      h("article", { className: "ns-card", "aria-label": row.report }, h("h3", null, row.report), h(OneNight, { source: row.source, report: row.report, night })),
    ))),
  );
}

const OneNight = (cell) => h(Part, { answer: useAnswer(pathOf(cell), 30), rows: 4 }, (detail) => h(Night, { detail }));

function PromotionOfRun({ application, runId }) {
  const answer = useAnswer(`promotions/${encodeURIComponent(application)}`);
  return h(Section, { title: "This run", id: "ns-this-run" }, h(Part, { answer, rows: 4 }, ({ promotions, now }) => {
    const one = promotions.find((promotion) => promotion.run_id === runId);
    return one ? h(Promotion, { one, now, open: true })
      : h(Empty, { title: "No record of this run among the newest", glyph: "queue" }, "It has not begun, or is older: the time line of the application goes further back.");
  }));
}
