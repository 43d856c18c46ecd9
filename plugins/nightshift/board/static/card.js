/** The card on Airflow's first page: last night, promotions, the line and incidents at a glance. */

import { RouterLink, h } from "./host.js";
import { useAnswer } from "./api.js";
import { Tiles } from "./overview.js";
import { Part } from "./parts.js";
import { BOARD, queryOf } from "./place.js";

/** Nobody asked for the board here: who may not see it, sees nothing of it. */
const SILENT = [401, 403];

export function NightshiftCard() {
  const answer = useAnswer("overview");
  if (SILENT.includes(answer.failure?.status)) return null;
  return h(
    "section", { className: "ns ns-home", "aria-labelledby": "ns-home" },
    h("h2", { id: "ns-home" }, h(RouterLink, { to: BOARD, className: "ns-link" }, "Nightshift")),
    h(Part, { answer, rows: 2 }, (data) => h(
      Tiles, { data, presses: false, way: (view) => ({ pathname: BOARD, search: queryOf(view) }) },
    )),
  );
}
