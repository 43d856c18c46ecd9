/**
 * The ES module that Airflow's UI loads for the board: a page in the navigation, a tab of DAGs and runs, and a card on
 * the first page. There is no build step, and nothing of React or Chakra is shipped: the host has them.
 */

import { missing, style } from "./host.js";

if (missing.length > 0) {
  throw new Error(
    `Nightshift's board needs ${missing.join(", ")}, which the UI of Airflow 3.3 hands to plugins, and this page has none of it. `
    + "Open it from the navigation of the Airflow UI; `nightshift nights` shows the same in a terminal.",
  );
}

const [{ Nightshift }, { NightshiftCard }] = await Promise.all([import("./app.js"), import("./card.js"), style()]);

// Airflow looks a component up by the name of its entry in the plugin, and reads this module once for all entries.
for (const name of ["Nightshift", "Night", "AirflowPlugin"]) globalThis[name] = Nightshift;
globalThis["Nightshift card"] = NightshiftCard;
